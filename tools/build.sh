#!/usr/bin/env bash
# Configures and builds a preset; prints a line now and then, and the compiler's words only when something fails.
#   tools/build.sh [PRESET] [JOBS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release} jobs=${2:-$(nproc)}
shift $(($# < 2 ? $# : 2))
folder=build/$preset log=build/$preset.log
mkdir -p build

# A file with torch in it takes 1.3 GB to compile: no more jobs at a time than memory allows.
memory_gb=$(awk '/MemAvailable/ {print int($2 / 1e6)}' /proc/meminfo)
allowed=$((memory_gb / 2 > 0 ? memory_gb / 2 : 1))
((jobs <= allowed)) || jobs=$allowed

start=$SECONDS
echo "== build ($preset, $jobs jobs) at $(date +%T)"
if ! cmake --preset "$preset" >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "error: configuring failed; all of it is in $log" >&2
  exit 4
fi
targets=()
for target in "$@"; do targets+=(--target "$target"); done
# ninja's "[12/345] ..." becomes a line every ten seconds: enough to see that it is alive
set +e
cmake --build "$folder" -j "$jobs" "${targets[@]}" 2>&1 | tee -a "$log" | {
  last=$SECONDS
  while IFS= read -r line; do
    if [[ $line =~ ^\[[0-9]+/[0-9]+\] ]] && ((SECONDS - last >= 10)); then echo "   ${BASH_REMATCH[0]}" && last=$SECONDS; fi
  done
}
status=${PIPESTATUS[0]}
set -e
if ((status)); then
  grep -E -A12 'error|FAILED' "$log" | head -n 60 >&2
  echo "error: the build failed; all of it is in $log" >&2
  exit 4
fi
echo "   built in $((SECONDS - start)) s"
