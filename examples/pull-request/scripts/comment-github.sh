#!/usr/bin/env bash
# comment-github.sh FILE: posts FILE as a comment on a pull request, or updates the one that this job posted before.
#
# The comment is found by the marker on FILE's first line and by its author, so that nobody else's text is ever overwritten.
# GITHUB_TOKEN needs `pull-requests: write`; PULL_REQUEST is the number; GITHUB_REPOSITORY and GITHUB_API_URL are set by GitHub Actions;
# COMMENT_AUTHOR is the login that the token comments as.
set -euo pipefail
file=${1:?usage: comment-github.sh FILE}
: "${GITHUB_TOKEN:?}" "${GITHUB_REPOSITORY:?}" "${PULL_REQUEST:?}"
api=${GITHUB_API_URL:-https://api.github.com}/repos/$GITHUB_REPOSITORY
author=${COMMENT_AUTHOR:-github-actions[bot]}

case $PULL_REQUEST in '' | *[!0-9]*) echo "error: PULL_REQUEST is not a number" >&2 && exit 64 ;; esac
IFS= read -r marker < "$file" || true
case $marker in '<!-- drydock plan '*' -->') ;; *) echo "error: $file does not begin with the marker of a plan" >&2 && exit 64 ;; esac

# The token goes through a file descriptor: arguments of programs can be read by every process.
call() {
  curl --silent --show-error --fail-with-body --max-time 60 \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$GITHUB_TOKEN") \
    --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28' "$@"
}

id='' page=1
while [ -z "$id" ]; do
  list=$(call --retry 3 "$api/issues/$PULL_REQUEST/comments?per_page=100&page=$page")
  id=$(jq -r --arg marker "$marker" --arg author "$author" \
    'first(.[] | select(.user.login == $author and ((.body // "") | startswith($marker))) | .id) // empty' <<< "$list")
  [ "$(jq length <<< "$list")" -eq 100 ] || break
  page=$((page + 1))
done

if [ -n "$id" ]; then
  jq -Rs '{body: .}' "$file" | call --retry 3 --request PATCH --data-binary @- "$api/issues/comments/$id" | jq -r '"updated " + .html_url'
else
  jq -Rs '{body: .}' "$file" | call --request POST --data-binary @- "$api/issues/$PULL_REQUEST/comments" | jq -r '"posted " + .html_url'
fi
