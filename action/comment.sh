#!/usr/bin/env bash
# Keeps one comment on the pull request: the one that begins with our marker is changed, else a new one is made. A pull
# request from a fork has no right to comment: then the summary of the job holds the same.
set -euo pipefail

marker='<!-- vllm-migrate -->'
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
found=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | head -n 1) || found=
if [[ -n $found ]]; then
    call=(--method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$found")
else
    call=(--method POST "$comments")
fi
gh api --silent "${call[@]}" --field "body=@$COMMENT" ||
    echo '::notice title=vllm-migrate::no right to comment here; the summary of the job holds the report'
