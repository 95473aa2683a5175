#!/usr/bin/env bash
# Installs what is missing, builds, runs every test. Ends with ctest's own summary.
#   ./test.sh [--no-torch] [--preset NAME] [--jobs N]
# --no-torch is --preset no-torch: everything that needs no LibTorch, and without installing it.
set -euo pipefail
cd "$(dirname "$0")"

preset=release jobs=$(nproc)
while (($#)); do
  case "$1" in
    --no-torch) preset=no-torch ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
    *) echo "error: unknown option $1 (known: --no-torch, --preset NAME, --jobs N)" >&2; exit 2 ;;
  esac
  shift
done
case "$preset" in
  no-torch | tsan) tools/install_deps.sh --no-torch ;;
  mpi) tools/install_deps.sh --no-torch --mpi ;;
  *) tools/install_deps.sh ;;
esac

tools/build.sh "$preset" "$jobs"
python3 -B tools/check_layers.py

echo "== tests ($preset) at $(date +%T)"
# Every test runs offline on what it makes itself; with $APICAL_DATA set, those on real data run too.
# Lines of tests that pass are left out but for one every ten seconds; failures are shown whole.
ctest --preset "$preset" -j "$jobs" --output-on-failure 2>&1 | {
  last=$SECONDS
  while IFS= read -r line; do
    case $line in
      *' Start '[0-9\ ]*': '*) ;;
      *'/'*' Test '*'#'*' Passed '*) if ((SECONDS - last >= 10)); then echo "   ${line%%Test*}" && last=$SECONDS; fi ;;
      *) echo "$line" ;;
    esac
  done
}
