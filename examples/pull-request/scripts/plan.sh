#!/usr/bin/env bash
# plan.sh BASE FOLDER: what the checked-out commit does to the design of BASE (a commit or branch), as files in FOLDER:
#
#   preview.json   the plan, a preview that `drydock apply` refuses
#   comment.md     the comment for the change
#   plan.txt       the same as text
#   counts.json    how many resources are created, updated and deleted, as GitLab shows them beside a merge request
#
# Asks no site, needs no credentials, runs nothing of the change. Ends with 3 when the design is invalid; comment.md says so then.
set -euo pipefail
base=${1:?usage: plan.sh BASE FOLDER} folder=${2:?usage: plan.sh BASE FOLDER}
mkdir -p "$folder"

# Annotations are workflow commands, which only GitHub reads, on standard output.
annotate() {
  if [ "${GITHUB_ACTIONS:-}" = true ]; then "$@"; fi
}

status=0
drydock plan --base "$base" --ref HEAD --out "$folder/preview.json" --format markdown > "$folder/comment.md" 2> "$folder/errors.txt" || status=$?
cat "$folder/errors.txt" >&2
case $status in
  0 | 2 | 7)
    drydock show "$folder/preview.json" > "$folder/plan.txt"
    drydock show "$folder/preview.json" --query '*' --format json \
      | jq '[.[].operation] | {create: map(select(. == "create")) | length,
          update: map(select(. == "update" or . == "replace")) | length, delete: map(select(. == "delete")) | length}' > "$folder/counts.json"
    annotate drydock show "$folder/preview.json" --format github
    exit 0
    ;;
esac

# No plan: the comment says why, under the same marker, so that it takes the place of the last plan.
annotate drydock validate --ref HEAD --format github || true
drydock validate --ref HEAD > "$folder/plan.txt" 2>&1 || true
site=$(sed -n 's/^site: *\([A-Za-z0-9._-]*\) *$/\1/p' drydock.yaml | head -n 1)
{
  printf '<!-- drydock plan %s -->\n**No plan could be made of this change**; it ended with exit code %s.\n\n' "$site" "$status"
  # A fence longer than any in the text, so that nothing in it is Markdown.
  fence=$(tr -c '\140' '\n' < "$folder/errors.txt" | awk '{ if (length > n) n = length } END { for (i = 0; i < (n < 3 ? 3 : n + 1); i++) printf "%c", 96 }')
  printf '%stext\n' "$fence"
  head -c 20000 "$folder/errors.txt" | iconv -c -f UTF-8 -t UTF-8
  printf '\n%s\n' "$fence"
} > "$folder/comment.md"
printf '{"create": 0, "update": 0, "delete": 0}\n' > "$folder/counts.json"
exit "$status"
