"""What is a secret, what is not, and that none survives in any format."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from vllm_migrate.documents.interface import Edit
from vllm_migrate.report.fingerprint import fingerprint
from vllm_migrate.report.formats import FORMATS, render
from vllm_migrate.report.mask import HIDDEN, is_secret, mask, mask_span, mask_value
from vllm_migrate.report.model import Report
from vllm_migrate.rules.finding import Fix

SECRET_KEYS = (
    "api-key api_key apiKey WANDB_API_KEY HF_TOKEN hf_token env.HF_TOKEN password db_password client_secret token "
    "AWS_SECRET_ACCESS_KEY"
)


@pytest.mark.parametrize("key", SECRET_KEYS.split())
def test_names_of_secrets(key: str) -> None:
    assert is_secret(key)


PLAIN_KEYS = (
    "tokenizer max_num_batched_tokens eos_token pad_token stop_token_ids max_tokens reward_fn_key prompt_key keyboard "
    "monkey secret_name password_file HF_TOKEN_PATH key_cache_dtype skip_tokenizer_init"
)


@pytest.mark.parametrize("key", PLAIN_KEYS.split())
def test_names_of_other_things(key: str) -> None:
    assert not is_secret(key)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("api-key: s3cr3t-value", "api-key: ***"),
        ("  api_key: correct horse battery  # why", "  api_key: ***  # why"),
        ("vllm serve m --api-key s3cr3t --port 1", "vllm serve m --api-key *** --port 1"),
        ("vllm serve m --api-key=s3cr3t", "vllm serve m --api-key=***"),
        ("export WANDB_API_KEY='a b c' X=1", "export WANDB_API_KEY=*** X=1"),
        ('{"password": "a\\"b", "port": 1}', '{"password": ***, "port": 1}'),
        ("{api-key: abc, tokenizer: Qwen/Qwen3}", "{api-key: ***, tokenizer: Qwen/Qwen3}"),
        ("api_keys: [one, two]", "api_keys: ***"),
        ("env HF_TOKEN=abcdef run", "env HF_TOKEN=*** run"),
        ('-H "Authorization: Bearer abc.def"', '-H "Authorization: ***"'),
        ("value: hf_abcdefghijklmnopqrst", "value: ***"),
        ("url: https://me:pa55@host/x", "url: https://me:***@host/x"),
        ("hf_token: ${oc.env:HF_TOKEN,fallback123}", "hf_token: ***"),
    ],
)
def test_secrets_go(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "hf_token: ${oc.env:HF_TOKEN}",
        "hf_token: ${oc.env:HF_TOKEN, null}",
        "HF_TOKEN: ${HF_TOKEN:-}",
        "teacher_model.key=openai/gsm8k",
        "--hf-token $HF_TOKEN",
        "hf_token: true",
        "api_key: null",
        "api_key: ''",
        "tokenizer: Qwen/Qwen3-8B",
        "eos_token: <|im_end|>",
        "max_tokens: 16",
        "cached blocks keep keys and values of the old policy: new rollouts",
        "logprobs per token: raw or processed",
        "key: nvidia.com/gpu",
        "the disk-space task-force",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert mask(text) == text


def test_a_masked_line_keeps_its_span() -> None:
    line = "vllm serve --api-key=averylongsecretvalue --enforce-eager"
    start = line.index("--enforce-eager")
    shown, low, high = mask_span(line, start, len(line))
    assert shown[low:high] == "--enforce-eager"
    inside = line.index("secretvalue")
    shown, low, high = mask_span(line, inside, inside + 6)
    assert shown[low:high] == HIDDEN


def test_values_are_masked_deeply() -> None:
    value = {"api_key": "abc", "inner": [{"password": 123, "port": 1}], "hf_token": True}
    assert mask_value("env", value) == {"api_key": HIDDEN, "inner": [{"password": HIDDEN, "port": 1}], "hf_token": True}
    assert mask_value("env.HF_TOKEN", "abc") == HIDDEN
    assert mask_value("seed", "abc") == "abc"


SECRET = "Tr0ub4dor-and-3"


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_prints_a_secret(name: str, maker: Any, empty: Report) -> None:
    text = f"serve:\n  api-key: {SECRET}\n  port: 1\n"
    make = maker("serve.yaml", text)
    finding = make.finding("api-key", option="api_key", key="serve.api-key", old=SECRET, new=SECRET)
    finding.message = f"the value {SECRET} of api-key changes"
    finding.why, finding.advice = f"it is {SECRET}", f"write {SECRET}"
    finding.depends_on = (f"the value of api-key ({SECRET})",)
    at = text.index("api-key")
    edit = Edit(at, text.index("\n", at), f"api_key: {SECRET}")
    empty.add(*make.planned(finding, edit, fix=Fix(f"respell {SECRET}", "safe", ())))
    empty.suppressed.append((finding, ""))
    out = render(name, empty, width=200)
    assert SECRET not in out
    assert name in ("statistics",) or HIDDEN in out


def test_an_edit_with_a_secret_is_not_offered(maker: Any, empty: Report) -> None:
    make = maker("serve.yaml", f"serve: {{api-key: {SECRET}, a: 1}}\n")
    edit = Edit(7, len(make.file.source.text) - 1, f"{{api-key: {SECRET}}}")
    empty.add(*make.planned(make.finding("a: 1"), edit))
    assert '"edits": []' in render("json", empty)
    assert '"fixes"' not in render("sarif", empty)


def test_a_fingerprint_does_not_depend_on_a_secret(maker: Any) -> None:
    prints = set()
    for secret in ("first-secret", "other-secret"):
        make = maker("serve.yaml", f"api-key: {secret}\n")
        prints.add(fingerprint(make.finding("api-key", key="api-key", old=secret)))
    assert len(prints) == 1


def test_patterns_are_not_compiled_for_plain_texts() -> None:
    code = (
        "import sys\nfrom vllm_migrate.report.mask import mask\n"
        "mask('cached blocks keep keys and values')\nmask('enable-prefix-caching: false')\n"
        "assert 'vllm_migrate.report.secrets' not in sys.modules\nmask('hf_token: x')\n"
        "assert 'vllm_migrate.report.secrets' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
