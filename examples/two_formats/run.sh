#!/usr/bin/env bash
# One checkpoint in two formats with the same weights: trained once, exported to GGUF q4_0 and to compressed-tensors, each
# verified, and the two compared by the SHA-256 that `verify` prints over all values. From the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
detent="${DETENT:-$PWD/build/release/detent}"
run="${1:-runs/two-formats}"

"$detent" train examples/two_formats/config.yaml --set "output=$run"
"$detent" export "$run" --out "$run/q4_0.gguf" # the target is the configuration's
"$detent" export "$run" --to compressed-tensors --out "$run/packed"
gguf="$("$detent" verify "$run/q4_0.gguf" --against "$run" | tail -n 1)"
packed="$("$detent" verify "$run/packed" --against "$run" | tail -n 1)"
printf 'GGUF                %s\ncompressed-tensors  %s\n' "$gguf" "$packed"
[ "$gguf" = "$packed" ] && echo "the same weights, bit for bit"
