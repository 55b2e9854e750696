"""Files of other tools with keys like vLLM's: no dialect finds an engine in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

CONTAINER = """kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: llm
          image: {image}
          args: [{args}]
"""
SHARED = "--model, a/b, --tensor-parallel-size, '2', --trust-remote-code, --dtype, bfloat16, --port, '8000'"

NEAR_MISSES = {
    # SGLang
    "sglang.sh": "python -m sglang.launch_server --model-path a/b --tp-size 2 --mem-fraction-static 0.8 # vllm before\n",
    "sglang-like.sh": "python3 -m sglang.launch_server --model a/b --tensor-parallel-size 2 --max-model-len 4096 --kv-cache-dtype fp8_e5m2 # not vllm\n",
    "sglang-image.sh": "docker run lmsysorg/sglang:v0.5 python3 -m sglang.launch_server --model a/b --enable-metrics # vllm serve\n",
    "sglang.yaml": CONTAINER.format(image="lmsysorg/sglang:v0.5", args=SHARED),
    "sglang-rollout.sh": "python3 -m verl.trainer.main_ppo actor_rollout_ref.rollout.name=sglang actor_rollout_ref.rollout.gpu_memory_utilization=0.6\n",
    "sglang-rollout.yaml": "actor_rollout_ref:\n  rollout:\n    name: sglang # or vllm\n    gpu_memory_utilization: 0.6\n    tensor_model_parallel_size: 2\n",
    "slime.sh": "python3 train.py --rollout-num-gpus-per-engine 2 --sglang-mem-fraction-static 0.7 --rollout-num-gpus 8 # no vllm\n",
    "dynamo-sglang.sh": "python3 -m dynamo.sglang --model-path a/b --tp 2 # like dynamo.vllm\n",
    "dynamo-trtllm.sh": "python3 -m dynamo.trtllm --model-path a/b --extra-engine-args e.yaml # like dynamo.vllm\n",
    "areal-sglang.yaml": "allocation_mode: sglang:d4+fsdp:d4\nsglang: {mem_fraction_static: 0.8, context_length: 8192}\nvllm: {gpu_memory_utilization: 0.8}\nrollout: {max_concurrent_rollouts: 4}\n",
    # TGI
    "tgi.sh": "text-generation-launcher --model-id a/b --num-shard 2 --max-total-tokens 4096 --dtype bfloat16 # not vllm serve\n",
    "tgi-image.sh": "docker run ghcr.io/huggingface/text-generation-inference:3 --model-id a/b --max-model-len 4096 --quantize awq # vllm\n",
    "tgi.yaml": CONTAINER.format(image="ghcr.io/huggingface/text-generation-inference:3.0", args="--model-id, a/b, --max-batch-prefill-tokens, '4096', --trust-remote-code"),
    "tei.yaml": CONTAINER.format(image="ghcr.io/huggingface/text-embeddings-inference:1.6", args="--model-id, BAAI/bge, --dtype, float16, --pooling, cls"),
    # LMDeploy, LightLLM, Aphrodite, llama.cpp, MLX
    "lmdeploy.sh": "lmdeploy serve api_server a/b --tp 2 --cache-max-entry-count 0.8 --session-len 8192 --enable-prefix-caching # vllm is another\n",
    "lmdeploy.yaml": CONTAINER.format(image="openmmlab/lmdeploy:v0.9", args="lmdeploy, serve, api_server, a/b, --enable-prefix-caching, --dtype, bfloat16"),
    "lightllm.sh": "python -m lightllm.server.api_server --model_dir a --tp 2 --max_total_token_num 4096 # not vllm.entrypoints\n",
    "llamacpp.sh": "llama-server -m a.gguf --ctx-size 4096 --parallel 4 --cont-batching # vllm serve a/b did the same\n",
    "mlx.sh": "mlx_lm.server --model a/b --max-tokens 512 # vllm serve\n",
    # TensorRT-LLM
    "trtllm.sh": "trtllm-serve a/b --max_batch_size 64 --tp_size 2 --kv_cache_free_gpu_memory_fraction 0.9 # vllm serve before\n",
    "trtllm.yaml": "tensor_parallel_size: 4\nmoe_expert_parallel_size: 4\nmax_batch_size: 64\nmax_num_tokens: 8192\nmax_seq_len: 8192\ntrust_remote_code: true\nbackend: pytorch\nenable_chunked_prefill: true\nkv_cache_config: {free_gpu_memory_fraction: 0.9, enable_block_reuse: true, dtype: fp8}\ncuda_graph_config: {max_batch_size: 64}\n",
    "trtllm-spec.yaml": "backend: pytorch\ntensor_parallel_size: 8\nmoe_expert_parallel_size: 8\nenable_attention_dp: false\nmax_num_tokens: 256\ndisable_overlap_scheduler: true\nspeculative_config: {decoding_type: MTP, num_nextn_predict_layers: 1}\nprint_iter_log: true\n",
    "trtllm.py": "from tensorrt_llm import LLM, SamplingParams\n\nllm = LLM(model='a/b', tensor_parallel_size=2)  # as vllm.LLM\n",
    "triton.pbtxt.yaml": "backend: tensorrtllm\nparameters: {gpt_model_type: {string_value: inflight_batching}, max_beam_width: {string_value: '1'}}\n",
    # Ray LLM and Ray Serve without an engine of vLLM
    "ray-serve.yaml": "applications:\n  - name: app\n    import_path: app:build # vllm elsewhere\n    deployments:\n      - {name: A, num_replicas: 2, ray_actor_options: {num_gpus: 1}}\n",
    "ray-data.py": "import ray\n\nds = ray.data.read_text('x')  # processed with vLLM elsewhere\nds.map_batches(print, concurrency=2, batch_size=64)\n",
    # Clients and gateways
    "litellm.yaml": "model_list:\n  - model_name: a\n    litellm_params: {model: hosted_vllm/a/b, api_base: 'http://vllm:8000/v1', max_tokens: 512, temperature: 0.7}\nlitellm_settings: {drop_params: true}\n",
    "client.yaml": "llm:\n  provider: openai\n  base_url: http://vllm:8000/v1\n  model: a/b\n  temperature: 0.7\n  max_tokens: 512\n  seed: 0\n",
    "client.toml": "[llm]\nbackend = \"vllm\"\nbase_url = \"http://vllm:8000/v1\"\nmodel = \"a/b\"\nmax_tokens = 512\n",
    "client.json": '{"provider": "vllm", "endpoint": "http://vllm:8000/v1", "model": "a/b", "max_model_len": 4096}\n',
    "client.py": "from openai import OpenAI\n\nclient = OpenAI(base_url='http://vllm:8000/v1')\nclient.chat.completions.create(model='a/b', messages=[], temperature=0.7)\n",
    "guidellm.sh": "guidellm benchmark --target http://vllm:8000 --rate-type sweep --max-seconds 30 --model a/b\n",
    "bench.sh": "vllm bench serve --model a/b --num-prompts 100 --max-concurrency 64 --dataset-name random\n",
    "lm-eval-api.sh": "lm_eval --model local-completions --model_args model=a/b,base_url=http://vllm:8000/v1/completions,num_concurrent=8\n",
    "lm-eval-sglang.sh": "lm_eval --model sglang --model_args pretrained=a/b,tp_size=2,dtype=auto # vllm\n",
    "promptfoo.yaml": "providers:\n  - id: openai:chat:a/b\n    config: {apiBaseUrl: 'http://vllm:8000/v1', max_tokens: 512}\ntests: []\n",
    "scaler.yaml": "kind: ScaledObject\nspec:\n  scaleTargetRef: {name: vllm}\n  minReplicaCount: 1\n  triggers: [{type: cron, metadata: {timezone: UTC, start: '0 8 * * *', end: '0 20 * * *'}}]\n",
    # Plain charts and manifests
    "values.yaml": "replicaCount: 1\nimage: {repository: nginx, tag: '1.27'}\nservice: {port: 8000}\nvllm: {enabled: true, url: 'http://vllm:8000'}\nresources: {limits: {nvidia.com/gpu: 1}}\n",
    "values-args.yaml": "image: {repository: my/gateway}\nextraArgs: [--log-level, debug, --port, '8080'] # in front of vllm\n",
    "router.yaml": CONTAINER.format(image="my/vllm-router:1", args="--port, '8000', --service-discovery, k8s, --routing-logic, roundrobin"),
    "isvc.yaml": "kind: InferenceService\nspec:\n  predictor:\n    model: {modelFormat: {name: sklearn}, args: [--max-num-seqs=64], storageUri: 's3://vllm/a'}\n",
    "ollama-kubeai.yaml": "apiVersion: kubeai.org/v1\nkind: Model\nspec: {engine: OLlama, url: 'ollama://a', args: [--max-model-len=1]} # not VLLM\n",
    "infinity-kubeai.yaml": "apiVersion: kubeai.org/v1\nkind: Model\nspec: {engine: Infinity, url: 'hf://a/b', args: [--dtype=float16]} # vllm has its own\n",
    "dynamo-graph.yaml": "kind: DynamoGraphDeployment\nspec:\n  services:\n    Worker:\n      extraPodSpec:\n        mainContainer: {image: 'nvcr.io/trtllm-runtime:1', command: [python3, -m, dynamo.trtllm], args: [--model-path, a/b, --max-num-tokens, '8192']} # not dynamo.vllm\n",
    # Trainers that run without vLLM
    "trl.yaml": "model_name_or_path: a/b\nuse_vllm: false\nvllm_gpu_memory_utilization: 0.5\nnum_generations: 8\n",
    "swift.sh": "swift rlhf --rlhf_type grpo --model a/b --use_vllm false --num_generations 8\n",
    "swift-lmdeploy.sh": "swift deploy --model a/b --infer_backend lmdeploy --lmdeploy_tp 2 # or vllm\n",
    "swift-sft.sh": "swift sft --model a/b --max_model_len 4096 --torch_dtype bfloat16 # then vllm serve it\n",
    "factory.yaml": "model_name_or_path: a/b\ninfer_backend: huggingface # or vllm\nvllm_maxlen: 4096\ntemplate: qwen\n",
    "unsloth.py": "from unsloth import FastLanguageModel\n\nm, t = FastLanguageModel.from_pretrained('a/b', fast_inference=False, gpu_memory_utilization=0.6)  # no vLLM\n",
    "oumi.yaml": "model: {model_name: a/b, model_max_length: 4096}\nengine: SGLANG # not VLLM\ngeneration: {max_new_tokens: 512, temperature: 0.0}\n",
    "openrlhf.sh": "deepspeed --module openrlhf.cli.train_sft --pretrain a/b --max_len 4096 --zero_stage 2 # later with vllm\n",
    "megatron.sh": "torchrun pretrain_gpt.py --tensor-model-parallel-size 2 --pipeline-model-parallel-size 2 --seq-length 4096 --bf16 # before vllm serve\n",
    "megatron.yaml": "trainer: {devices: 8}\nmodel: {tensor_model_parallel_size: 2, pipeline_model_parallel_size: 2, seed: 1, dtype: bf16} # exported for vllm\n",
    "ds-mii.py": "import mii\n\npipe = mii.pipeline('a/b', tensor_parallel=2, max_length=4096)  # like vllm\n",
    "prime-rl-like.toml": "[parallel]\ntp = 2\ndp = 2\n[model]\nname = \"a/b\"\nhidden_size = 4096\n# a trainer of ours, exported to vllm\n[optim]\nlr = 1e-5\n",
    "prime-inference.toml": "[inference]\nbackend = \"tgi\" # was vllm\nmax_batch_size = 8\n",
    "nemo-megatron-generation.yaml": "policy:\n  model_name: a/b\n  generation:\n    backend: megatron\n    mcore_generation_config: {buffer_size_gb: 20}\n    vllm_cfg: {tensor_parallel_size: 1, gpu_memory_utilization: 0.6}\n",
    "roll-sglang.yaml": "rollout_batch_size: 64\nactor_infer:\n  strategy_args: {strategy_name: sglang, strategy_config: {mem_fraction_static: 0.8}} # vllm before\n",
    "rlinf-sglang.yaml": "rollout: {rollout_backend: sglang, gpu_memory_utilization: 0.55, tensor_parallel_size: 1, vllm: {attention_backend: FLASH_ATTN}}\nactor: {training_backend: megatron}\nalgorithm: {}\n",
    # Other programs' own files with options of these names
    "serving.yaml": "serving: {engine: vllm, profile: fast, health_path: /health, timeout: 30}\n",
    "hardware.yaml": "gpus: [{name: H100, tensor_parallel_size: 8, max_num_seqs: 64}] # what we saw vllm reach\n",
    "results.json": '{"engine": "vllm", "model": "a/b", "dtype": "bfloat16", "throughput": 123.4, "max_num_seqs": 64}\n',
    "compose.yaml": "services:\n  web:\n    image: ghcr.io/open-webui/open-webui:main\n    environment: {OPENAI_API_BASE_URL: 'http://vllm:8000/v1'}\n    command: [--port, '3000']\n",
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_no_engine_is_found_in(name: str, tmp_path: Path) -> None:
    engines = Reading(tmp_path, {name: NEAR_MISSES[name]}).engines
    assert [engine.id for engine in engines] == []
