#!/usr/bin/env bash
# Installs what Apical needs on Debian 12 or Ubuntu 22.04+. Says nothing when nothing is missing.
#   tools/install_deps.sh [--no-torch] [--bench] [--mpi] [--list]
# As root it calls apt-get; otherwise it prints the line to run and exits with 3.
set -euo pipefail

torch=1 bench=0 mpi=0 list=0
for arg in "$@"; do
  case "$arg" in
    --no-torch) torch=0 ;;  # only what -DAPICAL_TRAIN=OFF needs
    --bench) bench=1 ;;     # and what -DAPICAL_BENCH=ON needs
    --mpi) mpi=1 ;;         # and what -DAPICAL_MPI=ON needs
    --list) list=1 ;;       # print the names and stop
    *) echo "error: unknown option $arg (known: --no-torch, --bench, --mpi, --list)" >&2; exit 2 ;;
  esac
done

packages=(
  # --- to build anything
  g++                       # the compiler (12 or later)
  cmake                     # the build (3.25 or later)
  ninja-build               # runs the build; the presets name it
  pkg-config                # finds libraries that bring no CMake files
  ccache                    # a second build takes seconds; used when present
  lld                       # links several times faster than ld; used when present
  # --- the torch-free rooms
  libspdlog-dev             # messages on standard error (base)
  libfmt-dev                # what spdlog formats with
  libssl-dev                # SHA-256 of data sets and files (base)
  libtomlplusplus-dev       # recipe.toml, network descriptions (base)
  libhwy-dev                # SIMD kernels with run-time dispatch (kernels)
  nlohmann-json3-dev        # result.json, the graph in a model file (graph, recipe)
  libcli11-dev              # the command line (cli)
  zlib1g-dev                # .gz, .npz, PNG (formats)
  libpng-dev                # PNG in and out (formats, report)
  libarchive-dev            # zip and tar archives of data sets (formats, data)
  libsndfile1-dev           # WAV and FLAC (formats)
  libkissfft-dev            # Fourier transform of sound (data)
  liblz4-dev                # LZ4 packets of AEDAT4 (formats)
  libzstd-dev               # Zstandard packets of AEDAT4 (formats)
  libhdf5-dev               # event recordings in HDF5 (formats)
  libflatbuffers-dev        # AEDAT4's tables and their verifier, headers only (formats)
  curl                      # apical data get downloads with it
  ca-certificates           # so that downloads can check who answers
  # --- tests (configuring looks for them whenever tests are part of the build)
  libgtest-dev              # unit tests
  libgmock-dev              # matchers of the unit tests
  python3                   # command-line tests, tools/check_layers.py
)
if ((torch || bench)); then
  packages+=(libopenblas0-pthread) # fast matrix products; the generic BLAS is 20 times slower
fi
if ((bench)); then
  packages+=(
    libbenchmark-dev        # bench/micro
    libblas-dev             # its matrix product is linked with it and runs OpenBLAS
    python3-venv            # bench/field puts the peers into a virtual environment
  )
fi
if ((mpi)); then
  packages+=(libopenmpi-dev)       # circuits on several processes (brain)
fi
if ((torch)); then
  packages+=(
    libtorch-dev            # tensors, autograd, optimisers (nn, learning, training)
    libmimalloc-dev         # fresh large buffers without page faults: elementwise torch runs 5 times faster
  )
fi

if ((list)); then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "error: this is no Debian or Ubuntu; install the counterparts of: ${packages[*]}" >&2
  exit 3
fi

missing=()
for package in "${packages[@]}"; do
  # "install ok installed" or, for a name that another package provides, nothing
  [[ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" == *" ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if ((EUID != 0)); then
  echo "Some packages are missing. As root run:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 3
fi
echo "Installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 25 "$log" >&2
  echo "error: apt-get could not install them all (its last lines are above)" >&2
  exit 3
fi
