#!/usr/bin/env bash
# The kernels' tests on 64-bit ARM: cross-compiled, and run under qemu-user (levels scalar and neon), each test by itself, JOBS at a time.
# Not part of the tests.
#   [JOBS=N] bench/neon.sh [GTEST_FILTER]
# Needs g++-aarch64-linux-gnu and qemu-user. The arm64 libraries come from Debian's packages, unpacked into build/neon: nothing is
# installed, and no root is needed. Objects newer than all sources of the kernels are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in aarch64-linux-gnu-g++ qemu-aarch64 apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "error: no $tool; apt-get install g++-aarch64-linux-gnu qemu-user" >&2; exit 3; }
done

jobs=${JOBS:-$(nproc)} out=build/neon root=$PWD/build/neon/root start=$SECONDS
libraries=(libhwy-dev libhwy1 libgtest-dev libgmock-dev)
if [[ ! -e $root/ready ]]; then
  mkdir -p "$out"/apt/{state/lists/partial,cache/archives/partial} "$out/debs" "$root"
  : >"$out/apt/status"
  apt=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$PWD/$out/apt/state" -o "Dir::Cache=$PWD/$out/apt/cache"
       -o "Dir::State::status=$PWD/$out/apt/status" -o APT::Sandbox::User="$(id -un)")
  apt-get "${apt[@]}" -qq update
  (cd "$out/debs" && apt-get "${apt[@]}" -qq download "${libraries[@]}")
  for deb in "$out"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
  touch "$root/ready"
fi

# What the kernels use of base, the kernels, their tests; flags as in cmake/ApicalBuild.cmake and apical/kernels/CMakeLists.txt.
compile() {
  local object=$1/${2//\//_}.o
  [[ -e $object && -z $(find apical/base apical/kernels -newer "$object" -name '*.[hc]*' -print -quit) ]] && return
  echo "  $2"
  aarch64-linux-gnu-g++ -std=c++20 -O2 -DNDEBUG -ffp-contract=off -I. -isystem "$3/usr/include" -DAPICAL_SOURCE_DIR="\"$PWD\"" \
    "-DHWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128|HWY_RVV)" -c "$2" -o "$object.part"
  mv "$object.part" "$object"
}
export -f compile
mkdir -p "$out/objects"
mapfile -t sources < <(printf 'apical/base/%s.cpp\n' error text thread_pool; find apical/kernels -name '*.cpp' | sort)
echo "== compiling"
printf '%s\n' "${sources[@]}" | xargs -P "$jobs" -I{} bash -c 'set -e; compile "$@"' _ "$out/objects" {} "$root"
lib=$root/usr/lib/aarch64-linux-gnu
objects=("${sources[@]//\//_}")
objects=("${objects[@]/#/$out/objects/}")
aarch64-linux-gnu-g++ -o "$out/kernels_test" "${objects[@]/%/.o}" -L"$lib" -lgtest_main -lgtest -lgmock -lhwy -lpthread

# Death tests start the program anew, which qemu-user without binfmt cannot.
run() { qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$1" "$2" "${@:3}"; }
export -f run
mapfile -t tests < <(run "$lib" "$out/kernels_test" --gtest_list_tests --gtest_filter="${1:-*}-*DeathTest*" |
  awk '/^[^ ]/ { suite = $1; next } /^  / { print suite $1 }' | grep '\.')
echo "== running ${#tests[@]} tests, $jobs at a time"
one() {
  local start=$SECONDS log=$3/${4//\//_}.log
  if run "$1" "$2" --gtest_filter="$4" >"$log" 2>&1; then echo "  passed $4 ($((SECONDS - start)) s)"; else echo "  FAILED $4, see $log"; false; fi
}
export -f one
mkdir -p "$out/logs"
rm -f "$out"/logs/*
printf '%s\n' "${tests[@]}" | xargs -P "$jobs" -I{} bash -c 'one "$@"' _ "$lib" "$out/kernels_test" "$out/logs" {} | tee "$out/tests.txt" || true
passed=$(grep -c '^  passed' "$out/tests.txt" || true)
echo "neon: $passed of ${#tests[@]} tests passed at the levels scalar and neon, $((SECONDS - start)) s"
((passed == ${#tests[@]} && passed > 0))
