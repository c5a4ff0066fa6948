#!/usr/bin/env bash
# install.sh FOLDER: puts drydock into FOLDER. Where programs come from is your decision: this takes a release that you keep, and checks its digest, so that
# a changed release is not run.
set -euo pipefail
folder=${1:?usage: install.sh FOLDER}
url=${DRYDOCK_URL:-https://downloads.example.net/drydock/0.1.0/drydock-x86_64-linux}
sha256=${DRYDOCK_SHA256:-0000000000000000000000000000000000000000000000000000000000000000}
mkdir -p "$folder"
curl --silent --show-error --fail --location --max-time 300 --output "$folder/drydock" "$url"
if ! echo "$sha256  $folder/drydock" | sha256sum --check --status; then
  rm -f "$folder/drydock"
  echo "error: $url is not the release with the digest $sha256" >&2
  exit 1
fi
chmod +x "$folder/drydock"
