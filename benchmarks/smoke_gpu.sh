#!/usr/bin/env bash
# The rollout proof on a GPU with a vLLM that runs there: bf16, real kernels, an update in flight, the noise floor.
#
#   benchmarks/smoke_gpu.sh PY MODEL [OUT]
#
# PY: a python with vLLM for this GPU (0.12 or later for the update probe). MODEL: a local checkpoint, 0.5B or larger.
# Then what a CPU cannot show: asynchronous scheduling and CUDA graphs on and off, an update with keep and a cleared cache
# under each, a float32 head of the engine (0.26 or later), and what `score` costs beside a plain forward pass.
# With ray installed for PY the Ray executor is tried, and with two GPUs two ranks of tensor parallelism: CPU builds of
# vLLM refuse Ray. It needs `pip install "vllm-migrate[smoke]"` where it is started. Each step prints its verdict and its
# exit code; the last lines say which of the expected answers did not come.
set -uo pipefail
[ $# -ge 2 ] || { sed -n '2,11p' "$0"; exit 2; }
PY=$1 MODEL=$2 OUT=${3:-smoke-gpu}
mkdir -p "$OUT"
SMOKE=(vllm-migrate smoke)
CONTRACT=(--set temperature=0.7 --set top_p=0.9 --set top_k=20)
SIZE=(--num-prompts 64 --max-tokens 512)
missed=()

config() { # name, extra lines
  printf 'dtype: bfloat16\nmax-model-len: 2048\ngpu-memory-utilization: 0.6\n%b' "$2" > "$OUT/$1.yaml"
}

expect() { # wanted exit code, what, command...
  local wanted=$1 what=$2
  shift 2
  echo "== $what"
  "$@"
  local code=$?
  echo "exit $code (expected $wanted)"
  [ "$code" = "$wanted" ] || missed+=("$what: exit $code, expected $wanted")
}

config raw ''
config pinned 'logprobs-mode: processed_logprobs\n'
config update 'logprobs-mode: processed_logprobs\nno-enable-prefix-caching: true\n'

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv || true
"$PY" -c 'import vllm, torch; print("vllm", vllm.__version__, "torch", torch.__version__)'

for name in raw pinned; do
  expect 0 "record $name" "${SMOKE[@]}" record "$OUT/$name.yaml" --python "$PY" --model "$MODEL" "${CONTRACT[@]}" "${SIZE[@]}" \
    -o "$OUT/$name.jsonl"
  expect 0 "score $name" "${SMOKE[@]}" score "$OUT/$name.jsonl" --model "$MODEL" --dtype bfloat16 -o "$OUT/$name.scored.jsonl"
done
expect 1 "raw logprobs fail, logprobs-semantics" "${SMOKE[@]}" compare "$OUT/raw.scored.jsonl"
expect 0 "pinned passes at bf16's own margins" "${SMOKE[@]}" compare "$OUT/pinned.scored.jsonl"
expect 1 "a trainer without the temperature fails" "${SMOKE[@]}" compare "$OUT/pinned.scored.jsonl" --claims raw
expect 0 "step scoring" "${SMOKE[@]}" record "$OUT/pinned.yaml" --python "$PY" --model "$MODEL" --tokens "$OUT/pinned.jsonl" \
  -o "$OUT/step.jsonl"
expect 0 "engine against itself, token by token" "${SMOKE[@]}" compare "$OUT/pinned.jsonl" "$OUT/step.jsonl"
expect 1 "raw run against the pinned reference" "${SMOKE[@]}" run "$OUT/raw.yaml" --reference "$OUT/pinned.jsonl" --python "$PY" \
  --model "$MODEL" "${CONTRACT[@]}" --dtype bfloat16
expect 1 "update, prefix cache on, clear_cache=False: stale" "${SMOKE[@]}" update "$OUT/pinned.yaml" --python "$PY" \
  --model "$MODEL" "${CONTRACT[@]}" --dtype bfloat16 --pause-mode keep --keep-cache
expect 0 "update with the pins: clean" "${SMOKE[@]}" update "$OUT/update.yaml" --python "$PY" --model "$MODEL" \
  "${CONTRACT[@]}" --dtype bfloat16 --pause-mode keep --keep-cache
executor() { # name, overrides...: samples through another executor, scored and judged like the others
  local name=$1
  shift
  expect 0 "record, $name" "${SMOKE[@]}" record "$OUT/pinned.yaml" --python "$PY" --model "$MODEL" "${CONTRACT[@]}" "${SIZE[@]}" "$@" \
    -o "$OUT/$name.jsonl"
  head -1 "$OUT/$name.jsonl" | grep -o '"\(tensor_parallel_size\|distributed_executor_backend\)": [^,}]*' | sort -u
  expect 0 "compare, $name" "${SMOKE[@]}" compare "$OUT/$name.jsonl" --model "$MODEL" --dtype bfloat16
}
# What is pinned one way and the other: a rollout, judged, and an update that keeps requests and clears the cache. Before
# 0.22.0 such an update loses a token under asynchronous scheduling: its verdict is shown, not expected.
varied() { # name, lines of the configuration
  config "$1" "logprobs-mode: processed_logprobs\n$2"
  expect 0 "record, $1" "${SMOKE[@]}" record "$OUT/$1.yaml" --python "$PY" --model "$MODEL" "${CONTRACT[@]}" "${SIZE[@]}" -o "$OUT/$1.jsonl"
  expect 0 "compare, $1" "${SMOKE[@]}" compare "$OUT/$1.jsonl" --model "$MODEL" --dtype bfloat16
  echo "== update, $1, keep with a cleared cache (shown)"
  "${SMOKE[@]}" update "$OUT/$1.yaml" --python "$PY" --model "$MODEL" "${CONTRACT[@]}" --dtype bfloat16 --pause-mode keep --clear-cache
  echo "exit $?"
}
varied async-on 'async-scheduling: true\n'
varied async-off 'no-async-scheduling: true\n'
varied graphs-off 'enforce-eager: true\n'
if "$PY" -c 'import vllm; from packaging.version import Version as V; assert V(vllm.__version__) >= V("0.26")' 2> /dev/null; then
  varied head-float32 'hf-overrides: {"head_dtype": "float32"}\n'
  "${SMOKE[@]}" compare "$OUT/head-float32.jsonl" --model "$MODEL" --dtype bfloat16 --head-dtype float32
else
  echo "== no float32 head before 0.26: not run"
fi
python "$(dirname "$0")/smoke_score.py" --dtype bfloat16
if "$PY" -c 'import ray' 2> /dev/null; then executor ray --set distributed_executor_backend=ray; else echo "== no ray: not run"; fi
if [ "$(nvidia-smi -L 2> /dev/null | wc -l)" -ge 2 ]; then executor tensor-parallel --set tensor_parallel_size=2; else echo "== one GPU: no tensor parallelism"; fi
for head in float32 bfloat16; do
  echo "== head $head (shown; which one fits the engine better)"
  "${SMOKE[@]}" compare "$OUT/pinned.jsonl" --model "$MODEL" --dtype bfloat16 --head-dtype "$head"
done

if [ ${#missed[@]} -eq 0 ]; then
  echo "all as expected"
else
  printf 'NOT AS EXPECTED: %s\n' "${missed[@]}"
  exit 1
fi
