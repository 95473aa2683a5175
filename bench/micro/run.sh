#!/usr/bin/env bash
# Every kernel by itself: time, items and bytes a second, and its share of the machine's limit, measured in the same run. Writes
# bench/micro/results.json (Google Benchmark's format) and prints the medians.
#   bench/micro/run.sh [--threads N] [--filter REGEX] [--quick]      default: every core, every kernel
set -euo pipefail
cd "$(dirname "$0")/../.."
threads=$(nproc) filter=. results=bench/micro/results.json effort=(--benchmark_repetitions=7 --benchmark_min_time=0.1)
while (($#)); do
  case $1 in
    --threads) threads=${2:?--threads needs a number}; shift ;;
    --filter) filter=${2:?--filter needs a regular expression}; shift ;;
    --quick) results=/dev/null effort=(--benchmark_min_time=0.01) ;; # does it run; nothing is written
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "error: unknown option $1 (known: --threads N, --filter REGEX, --quick)" >&2; exit 2 ;;
  esac
  shift
done

tools/install_deps.sh --no-torch --bench
cmake --preset no-torch -B build/micro -DAPICAL_BENCH=ON -DAPICAL_TESTS=OFF >build/micro.log
cmake --build build/micro -j "$(nproc)" --target bench_micro >>build/micro.log

# One product on each of our threads, with the processor's own kernels: OpenBLAS 0.3.21 chooses less by itself.
export OPENBLAS_NUM_THREADS=1
if grep -q avx512vl /proc/cpuinfo; then export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SkylakeX}"; fi
build/micro/bench/bench_micro --threads "$threads" --benchmark_filter="$filter" "${effort[@]}" --benchmark_report_aggregates_only=true \
  --benchmark_out="$results" --benchmark_out_format=json
