#!/usr/bin/env bash
# Runs all checks and tests, with their own set-up: formatting, lints (warnings are errors), licences where cargo-deny is installed,
# unit and integration tests. Peers are installed by the tests that need them: sushy-tools and DMTF's validators into target/peers, Debian packages with apt-get.
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
# Peers of the IPMI and libvirt drivers; without them their tests skip, and fail in CI.
if ! command -v ipmitool >/dev/null || ! command -v ipmi_sim >/dev/null || ! command -v virsh >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends ipmitool openipmi libvirt-clients
  else
    echo "warning: ipmitool, ipmi_sim and virsh (Debian: ipmitool openipmi libvirt-clients) are not all installed; the tests of drivers against them skip" >&2
  fi
fi
# A server for the state of a team; without it the tests of the state in PostgreSQL skip, and fail in CI.
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql
  else
    echo "warning: PostgreSQL (Debian: postgresql) is not installed; the tests of the state in it skip" >&2
  fi
fi
# A browser for the page of a plan.
if ! command -v chromium >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium
  else
    echo "warning: chromium is not installed; the tests of pages skip" >&2
  fi
fi
# What the scripts of examples/pull-request need, and the linters of its workflows.
if ! command -v jq >/dev/null || ! command -v curl >/dev/null || ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends jq curl git nodejs npm
  else
    echo "warning: jq, curl, node and npm are not all installed; the tests of examples/pull-request fail or skip" >&2
  fi
fi
# A clock that can be turned.
if [ ! -e /usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime
  else
    echo "warning: libfaketime is not installed; the test of clocks that jump skips" >&2
  fi
fi
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
# Without PostgreSQL and the export of traces, too.
cargo check --quiet --locked --no-default-features
if command -v cargo-deny >/dev/null; then
  # It looks at the dependencies of all platforms; a build fetches those of this one.
  cargo fetch --locked
  cargo deny --offline check bans licenses sources
else
  echo "cargo-deny is not installed: licences not checked (cargo install cargo-deny)"
fi
# Many tests wait, for servers and for time limits: more of them than there are cores run at once.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))}
export RUST_TEST_THREADS
# With COVERAGE=1 it is counted which lines are reached, if the tools of the compiler's LLVM are there.
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if [ "${COVERAGE:-}" = 1 ] && ! command -v "llvm-cov-$llvm" >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "llvm-$llvm" || true
fi
if [ "${COVERAGE:-}" = 1 ] && command -v "llvm-cov-$llvm" >/dev/null; then
  profiles=$PWD/target/coverage
  rm -rf "$profiles"
  mkdir -p "$profiles"
  # All programs with the same code share a few files.
  export RUSTC_WORKSPACE_WRAPPER=$PWD/.ci/instrumented LLVM_PROFILE_FILE=$profiles/%4m.profraw
elif [ "${COVERAGE:-}" = 1 ]; then
  echo "llvm-cov-$llvm is not installed: line coverage is not measured (Debian: llvm-$llvm)"
fi
mkdir -p target
cargo test --locked --no-run --message-format json-render-diagnostics >target/test-programs.json
cargo test --locked --no-fail-fast
if [ -n "${profiles:-}" ]; then
  mapfile -t programs < <(python3 -c 'import json, sys
print(*{m["executable"] for m in map(json.loads, open("target/test-programs.json")) if m.get("executable")}, sep="\n")')
  .ci/coverage.py "$llvm" "$profiles" "${programs[@]}"
fi

# What CI servers are given, over the example: well-formed, and about a valid design.
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
cargo build -q --locked
for format in sarif junit; do
  target/debug/drydock -C examples/hello-site validate --strict --format "$format" -o "$reports/$format"
done
python3 - "$reports" <<'CHECK'
import json, sys, xml.etree.ElementTree as xml
sarif = json.load(open(sys.argv[1] + "/sarif"))
assert sarif["version"] == "2.1.0" and sarif["runs"][0]["results"] == [], "the example has findings"
junit = xml.parse(sys.argv[1] + "/junit").getroot()
assert int(junit.get("tests")) > 0 and junit.get("failures") == "0", "the example has failures"
print("validate: sarif and junit of the example are well-formed")
CHECK
