#!/usr/bin/env bash
# The kernels' tests on 64-bit ARM: cross-compiled, and run under qemu-user (levels scalar and neon). Not part of the tests.
#   [JOBS=N] bench/neon.sh [GTEST_FILTER]
# Needs g++-aarch64-linux-gnu and qemu-user. The arm64 libraries come from Debian's packages, unpacked into build/neon: nothing is
# installed, and no root is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in aarch64-linux-gnu-g++ qemu-aarch64 apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "error: no $tool; apt-get install g++-aarch64-linux-gnu qemu-user" >&2; exit 3; }
done

out=build/neon root=$PWD/build/neon/root
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
  aarch64-linux-gnu-g++ -std=c++20 -O2 -DNDEBUG -ffp-contract=off -I. -isystem "$3/usr/include" -DAPICAL_SOURCE_DIR="\"$PWD\"" \
    "-DHWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128|HWY_RVV)" -c "$2" -o "$object"
}
export -f compile
mkdir -p "$out/objects"
rm -f "$out"/objects/*.o
{ printf 'apical/base/%s.cpp\n' error text thread_pool; find apical/kernels -name '*.cpp'; } |
  xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'compile "$@"' _ "$out/objects" {} "$root"
lib=$root/usr/lib/aarch64-linux-gnu
aarch64-linux-gnu-g++ -o "$out/kernels_test" "$out"/objects/*.o -L"$lib" -lgtest_main -lgtest -lgmock -lhwy -lpthread

# Death tests start the program anew, which qemu-user without binfmt cannot.
qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$lib" "$out/kernels_test" --gtest_filter="${1:-*}-*DeathTest*"
