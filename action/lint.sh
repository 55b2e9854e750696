#!/usr/bin/env bash
# The action's lint: annotations on standard output, a summary, a SARIF file and the text of a comment; the exit code goes
# to the output `status`, so that the steps after it still run. Everything comes by environment, nothing is expanded.
set -euo pipefail

words=()
[[ -n ${INPUT_FROM:-} ]] && words+=(--from "$INPUT_FROM")
[[ -n ${INPUT_TO:-} ]] && words+=(--to "$INPUT_TO")
[[ -n ${INPUT_FAIL_ON:-} ]] && words+=(--fail-on "$INPUT_FAIL_ON")

folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/vllm-migrate-report.XXXXXX")
if [[ ${INPUT_CHANGED_LINES:-} == true && -n ${BASE:-} ]]; then
    # A shallow checkout does not hold the base.
    git cat-file -e "$BASE^{commit}" 2>/dev/null || git fetch --quiet --no-tags --depth=1 origin "$BASE"
    git -c core.quotePath=true diff --no-color --no-ext-diff "$BASE" HEAD >"$folder/diff"
    words+=(--diff "$folder/diff")
fi

paths=()
while IFS= read -r path; do
    path=${path#"${path%%[![:space:]]*}"}
    path=${path%"${path##*[![:space:]]}"}
    [[ -n $path ]] && paths+=("$path")
done <<<"${INPUT_PATHS:-}"

lint() {
    "$VLLM_MIGRATE" lint ${words[@]+"${words[@]}"} "$@" -- ${paths[@]+"${paths[@]}"}
}

format=github
[[ ${INPUT_ANNOTATIONS:-} == false ]] && format=concise
status=0
lint --output-format "$format" || status=$?
if ((status < 2)); then
    lint --output-format sarif --output-file "$folder/vllm-migrate.sarif" || true
    lint --output-format markdown --output-file "$folder/comment.md" || true
    cat "$folder/comment.md" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    {
        echo "sarif-file=$folder/vllm-migrate.sarif"
        echo "comment-file=$folder/comment.md"
    } >>"$GITHUB_OUTPUT"
fi
echo "status=$status" >>"$GITHUB_OUTPUT"
