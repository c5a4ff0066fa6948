#!/bin/sh
# Builds drydock and shows it at work on a copy of this site in target/hello-site: plan, apply, and a second plan that is empty.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cargo build --release --locked
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
site=$target/hello-site
rm -rf "$site"
mkdir -p "$site"
cp -R "$here/drydock.yaml" "$here/design" "$site"
cd "$site"

step() {
  printf '\n$ drydock %s\n' "$*"
  "$target/release/drydock" "$@"
}

step plan --out plan.json
step apply plan.json
step plan --detailed-exitcode
