#!/usr/bin/env bash
# Runs all checks and tests, with their own set-up: formatting, lints (warnings are errors), licences where cargo-deny is installed,
# unit and integration tests. Peers (sushy-tools) are installed into target/peers by the tests that need them.
set -euo pipefail
cd "$(dirname "$0")"
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
  else
    echo "error: python3 with venv is needed for the Redfish peer; install python3-venv" >&2
    exit 1
  fi
fi
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
if command -v cargo-deny >/dev/null; then
  cargo deny --offline check bans licenses sources
else
  echo "cargo-deny is not installed: licences not checked (cargo install cargo-deny)"
fi
cargo test --locked --no-fail-fast
