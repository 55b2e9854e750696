"""What a server's owner is told does not speak of a training run that is not there."""

from __future__ import annotations

import re

import pytest

from vllm_migrate import lint

TRAINING = re.compile(r"(?i)old_?log_?prob|importance ratio|\bpolicy\b|\bloss\b|rollout|\btrainer\b|gradient|\breward")
V0 = {"VLLM_USE_V1": "0"}
SERVERS = {
    "plain": "vllm serve org/m",
    "sampled": 'vllm serve org/m --override-generation-config \'{"temperature": 0.7, "top_p": 0.9, "min_p": 0.05}\'',
    "quantised": "vllm serve org/m --quantization fp8 --kv-cache-dtype fp8",
    "parallel": "vllm serve org/m -tp 8 -pp 2 --enable-expert-parallel --disable-custom-all-reduce",
    "multimodal": "vllm serve org/m --limit-mm-per-prompt image=4 --disable-mm-preprocessor-cache",
    "speculative": 'vllm serve org/m --speculative-config \'{"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}\'',
    "overridden": 'vllm serve org/m --hf-overrides \'{"rope_scaling": {"rope_type": "yarn", "factor": 4}, "head_dtype": "float32"}\'',
    "guided": "vllm serve org/m --guided-decoding-backend outlines --enable-reasoning --reasoning-parser deepseek_r1",
    "old": "python -m vllm.entrypoints.api_server --model org/m --swap-space 4 --num-scheduler-steps 8",
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("env", ["", "VLLM_USE_V1=0 "])
@pytest.mark.parametrize(("source", "target"), [("0.8.5", "0.18.1"), ("0.12.0", "0.33.0"), ("0.18.1", "0.33.0")])
def test_a_server_is_told_of_answers_alone(server: str, env: str, source: str, target: str) -> None:
    files = {".git/HEAD": "", "serve.sh": f"{env}{SERVERS[server]}\n"}
    for finding in lint("serve.sh", files=files, from_=source, to=target).findings:
        said = " ".join((finding.message, finding.why or "", finding.advice or ""))
        assert not TRAINING.search(said), (finding.code, said)
