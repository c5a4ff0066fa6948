#!/usr/bin/env bash
# comment-gitlab.sh FILE: posts FILE as a note on a merge request, or updates the one that this job posted before.
#
# The note is found by the marker on FILE's first line and by its author, so that nobody else's text is ever overwritten.
# DRYDOCK_COMMENT_TOKEN is a project access token with the scope `api` and the role Reporter (a job's own token may not write notes);
# MERGE_REQUEST is the number within the project; CI_API_V4_URL and CI_PROJECT_ID are set by GitLab.
set -euo pipefail
file=${1:?usage: comment-gitlab.sh FILE}
: "${DRYDOCK_COMMENT_TOKEN:?}" "${CI_API_V4_URL:?}" "${CI_PROJECT_ID:?}" "${MERGE_REQUEST:?}"
api=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$MERGE_REQUEST

case $MERGE_REQUEST in '' | *[!0-9]*) echo "error: MERGE_REQUEST is not a number" >&2 && exit 64 ;; esac
IFS= read -r marker < "$file" || true
case $marker in '<!-- drydock plan '*' -->') ;; *) echo "error: $file does not begin with the marker of a plan" >&2 && exit 64 ;; esac

# The token goes through a file descriptor: arguments of programs can be read by every process.
call() {
  curl --silent --show-error --fail-with-body --max-time 60 \
    --config <(printf 'header = "PRIVATE-TOKEN: %s"\n' "$DRYDOCK_COMMENT_TOKEN") --header 'Content-Type: application/json' "$@"
}

me=$(call --retry 3 "$CI_API_V4_URL/user" | jq -r .id)
id='' page=1
while [ -z "$id" ]; do
  list=$(call --retry 3 "$api/notes?sort=asc&order_by=created_at&per_page=100&page=$page")
  id=$(jq -r --arg marker "$marker" --arg me "$me" \
    'first(.[] | select((.system | not) and (.author.id | tostring) == $me and ((.body // "") | startswith($marker))) | .id) // empty' <<< "$list")
  [ "$(jq length <<< "$list")" -eq 100 ] || break
  page=$((page + 1))
done

if [ -n "$id" ]; then
  jq -Rs '{body: .}' "$file" | call --retry 3 --request PUT --data-binary @- "$api/notes/$id" | jq -r '"updated note \(.id)"'
else
  jq -Rs '{body: .}' "$file" | call --request POST --data-binary @- "$api/notes" | jq -r '"posted note \(.id)"'
fi
