#!/usr/bin/env bash
# From a bare machine to a trained spiking network and its report: installs what is missing (Debian, Ubuntu), builds, and runs
# `digits` on the data of $APICAL_DATA, or on its synthetic twin when there is none.
set -euo pipefail
cd "$(dirname "$0")"

start=$SECONDS
tools/install_deps.sh
installed=$SECONDS
tools/build.sh release "$(nproc)" apical
built=$SECONDS

apical=build/release/cli/apical
out=runs/quickstart
if [[ -n ${APICAL_DATA:-} && -d $APICAL_DATA ]]; then
  data=(--data "$APICAL_DATA")
  echo "== digits on the data in $APICAL_DATA"
else
  data=(--data synthetic)
  echo "== digits on the synthetic twin of MNIST (APICAL_DATA is not set; figures from the twin are not figures of MNIST)"
fi
rm -rf "$out"
"$apical" run digits --scale desk "${data[@]}" --out "$out"

echo
echo "install $((installed - start)) s, build $((built - installed)) s, run $((SECONDS - built)) s"
echo "report: $PWD/$out/report.html"
