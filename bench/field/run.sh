#!/usr/bin/env bash
# Apical beside its peers, in one run: installs the peers into a virtual environment, builds our side, checks that results are equal,
# times both, writes bench/field/<workload>/results.json and the tables of docs/benchmarks.md.
#   bench/field/run.sh [--threads N] [--quick] [workload...]      default: every workload, every core; circuits:brunel: one part of it
set -euo pipefail
cd "$(dirname "$0")/../.."
threads=$(nproc) quick=() workloads=()
while (($#)); do
  case $1 in
    --threads) threads=${2:?--threads needs a number}; shift ;;
    --quick) quick=(--quick) ;; # small sizes, nothing is written: does it run
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "error: unknown option $1 (known: --threads N, --quick)" >&2; exit 2 ;;
    *) workloads+=("$1") ;;
  esac
  shift
done
((${#workloads[@]})) || mapfile -t workloads < <(find bench/field -mindepth 2 -name run.py -printf '%h\n' | xargs -n1 basename | sort)

tools/install_deps.sh --bench
venv=build/bench-venv
if ! cmp -s bench/field/requirements.txt "$venv/installed.txt"; then
  echo "== peers into $venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r bench/field/requirements.txt
  cp bench/field/requirements.txt "$venv/installed.txt"
fi
cmake --preset release -B build/bench -DAPICAL_BENCH=ON -DAPICAL_TESTS=OFF >build/bench.log
cmake --build build/bench -j "$(nproc)" --target benchmarks >>build/bench.log

for workload in "${workloads[@]}"; do
  echo "== $workload ($threads threads)"
  part=()
  if [[ $workload == *:* ]]; then part=(--only "${workload#*:}"); fi
  PYTHONPATH=bench/field "$venv/bin/python" -B "bench/field/${workload%%:*}/run.py" --binaries build/bench/bench --threads "$threads" "${quick[@]}" "${part[@]}"
done
