#!/bin/bash
# Makes the tables and figures of docs/two-point-neurons.md anew: about three hours on two cores. Needs the spoken digits and MNIST.
#   APICAL_DATA=~/data docs/two-point-neurons.sh [FOLDER]     FOLDER (default runs/two-point-neurons) keeps the runs; it may be given again
set -euo pipefail
cd "$(dirname "$0")/.."
apical=${APICAL:-build/release/cli/apical} runs=${1:-runs/two-point-neurons}
sweep() {
  local name=$1
  shift
  if [ -e "$runs/$name/sweep.toml" ]; then
    "$apical" sweep --resume "$runs/$name"
  else
    "$apical" sweep mcc-two-point-cells --out "$runs/$name" "$@"
  fi
  # The figures that the page shows; all of them are in $runs/$name/sweep.csv.
  grep -E 'metric,seed,value|(^|,)(energy_ratio|energy_ratio_feed_forward|damage_ratio|steps_ratio|points_lost|accuracy_[a-z0-9_]+|held_out_[a-z0-9_]+|active_[a-z0-9_]+),' \
    "$runs/$name/sweep.csv" | grep -vE ',accuracy_(0db|without)_' > "docs/results/two-point-$name.csv"
}
pair() { sweep "$1" --set arms=pair "${@:2}"; }
map() { pair "$1" --set damage.training=0.0 "${@:2}"; }
mkdir -p docs/results
# Whole runs at each learning rate: the best on held-out pairs is the arm's in recipe.toml.
sweep rates --set arms=all --set 'lambda=[0.0]' --set damage.training=0.0 --over train.lr=0.0000625,0.000125,0.00025,0.0005,0.001,0.002
if [ -e "$runs/desk/config.toml" ]; then
  "$apical" run mcc-two-point-cells --resume "$runs/desk"
else
  "$apical" run mcc-two-point-cells --out "$runs/desk"
fi
pair ten --seeds 1..10
map penalties --over 'lambda=[0.0,0.01,0.1],[0.0,0.03,0.3]'
map fields --over 'fields=["p"],["d"],["u"],["p","d"]'
map transfer --over mtf=coop,tm1,tm2,tm3,tm4,gate
map iterations --over mtf=coop,tm3 --over iters=2
map depth --over net.layers=1,2,4
map noise --over 'train_snr=[-12.0,0.0],[0.0,12.0]'
figure() { tools/figures.py "$runs/$1/report.html" "docs/images/two-point-$2.svg" "$3"; }
figure desk accuracy "Accuracy and noise"
figure desk surface "Output h over R (across) and C (down)"
figure desk damage "Cells silenced at test"
figure desk pareto "Feed-forward and context synapses"
figure transfer transfer steps_ratio
docs/two-point-neurons.py
