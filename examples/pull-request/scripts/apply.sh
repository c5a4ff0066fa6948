#!/usr/bin/env bash
# apply.sh PLAN REPORT: fetches the approvals of a plan file, and applies it. REPORT becomes a JUnit report of the run.
#
# Approvals are signatures that `drydock approve PLAN --key FILE` made, as files of the branch APPROVALS (`approvals` if not set) of the
# remote `origin`, in a folder that is called as the plan's digest. Whether they are enough is decided by `drydock apply`, by the policy of the
# settings; nothing here is trusted.
set -euo pipefail
plan=${1:?usage: apply.sh PLAN REPORT} report=${2:?usage: apply.sh PLAN REPORT}
branch=${APPROVALS:-approvals}
digest=$(jq -r .digest "$plan")
case $digest in '' | *[!0-9a-f]*) echo "error: $plan has no digest" >&2 && exit 64 ;; esac

name=$(basename "$plan")
if git ls-remote --exit-code --heads origin "$branch" > /dev/null; then
  git fetch --quiet --depth=1 origin "refs/heads/$branch"
  git ls-tree -z --name-only FETCH_HEAD "$digest/" | while IFS= read -r -d '' path; do
    # Only signatures of this very file: a name decides where it is written.
    case $path in "$digest/$name".*.sig) ;; *) continue ;; esac
    git show "FETCH_HEAD:$path" > "$(dirname "$plan")/${path#"$digest"/}"
    echo "approval: ${path#"$digest"/}"
  done
fi
exec drydock apply "$plan" --report "junit=$report"
