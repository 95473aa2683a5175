#!/usr/bin/env bash
# Fuzzes the readers of foreign bytes from the committed corpus.
#   tools/fuzz.sh [--keep] [--jobs N] [seconds each, default 20] [target...]
# --keep adds a small set of new inputs that reach new code to tests/fuzz/corpus (at most 60 files of 4 KiB a target).
# Exit code 1 when a target crashed, hung, leaked or used too much memory; the input lies in build/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."
keep=0 jobs=1 seconds=20 targets=()
while (($#)); do
  case $1 in
    --keep) keep=1 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    -h|--help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *[!0-9]*) targets+=("$1") ;;
    *) seconds=$1 ;;
  esac
  shift
done
build=${APICAL_FUZZ_BUILD:-build/fuzz}
cmake --preset fuzz -B "$build" >/dev/null
nice cmake --build "$build" --target fuzzers
build=$(cd "$build" && pwd)
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(find "$build/tests/fuzz" -maxdepth 1 -name 'fuzz_*' -type f -executable -printf '%f\n' | sed 's/^fuzz_//' | sort)
fi
mkdir -p "$build/findings" "$build/logs"

one() { # one target
  local name=$1 exe=$build/tests/fuzz/fuzz_$1 work=$build/work/$1 corpus=tests/fuzz/corpus/$1
  mkdir -p "$work" "$corpus"
  [[ -x $exe ]] || { echo "no such target: $name" >"$build/logs/$name.log"; return 1; }
  "$exe" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -use_value_profile=1 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "$work" "$corpus" >"$build/logs/$name.log" 2>&1
}

keep_new() { # a small set of inputs that reaches all code the work folder reaches, smallest first, up to 60 files
  local name=$1 exe=$build/tests/fuzz/fuzz_$1 corpus=tests/fuzz/corpus/$1 merged
  merged=$(mktemp -d)
  cp "$corpus"/* "$merged" 2>/dev/null || true
  "$exe" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$merged" "$build/work/$name" >/dev/null 2>&1 || true
  local count file
  count=$(find "$corpus" -type f | wc -l)
  while read -r _ file; do # smallest first
    if ((count < 60)) && [[ ! -e $corpus/$file ]]; then
      cp "$merged/$file" "$corpus/"
      count=$((count + 1))
    fi
  done < <(find "$merged" -type f -size -4097c -printf '%s %f\n' | sort -n)
  rm -rf "$merged"
}

status=0 failed=()
declare -A pid
for name in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= jobs)); do sleep 0.2; done
  one "$name" & pid[$name]=$!
done
for name in "${targets[@]}"; do wait "${pid[$name]}" || { failed+=("$name"); status=1; }; done

printf '%-14s %14s %10s %10s  %s\n' target executions exec/s edges result
for name in "${targets[@]}"; do
  log=$build/logs/$name.log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log" | tail -1)
  edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -1)
  result=ok
  for f in "${failed[@]:-}"; do [[ $f == "$name" ]] && result="FINDING, see $log"; done
  printf '%-14s %14s %10s %10s  %s\n' "$name" "${runs:--}" "${rate:--}" "${edges:--}" "$result"
  if ((keep)) && [[ $result == ok ]]; then keep_new "$name"; fi
done
exit $status
