#!/usr/bin/env python3
"""Prints the tables of docs/two-point-neurons.md from docs/results/two-point-*.csv, which docs/two-point-neurons.sh makes."""
import collections
import csv
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
CLAIMS = ["energy_ratio", "energy_ratio_feed_forward", "damage_ratio", "steps_ratio"]


def points(name):
    """{(axis values): {metric: (mean, lo, hi)}} in the order of the file."""
    found = collections.defaultdict(dict)
    with open(RESULTS / f"two-point-{name}.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            axes = tuple(v for k, v in row.items() if k not in ("metric", "seed", "value", "lo", "hi"))
            if not row["seed"]:
                found[axes][row["metric"]] = tuple(float(row[k] or "nan") for k in ("value", "lo", "hi"))
    return found


def interval(value):
    return f"{value[0]:.2f} ({value[1]:.2f} to {value[2]:.2f})"


def rates():
    found = points("rates")
    arms = [m.removeprefix("held_out_") for m in next(iter(found.values())) if m.startswith("held_out_")]
    print("| arm | " + " | ".join(axes[0] for axes in found) + " |\n" + "|---" * (len(found) + 1) + "|")
    for arm in arms:
        held = [p["held_out_" + arm][0] for p in found.values()]
        test = [p.get("accuracy_" + arm, (float("nan"),))[0] for p in found.values()]
        cells = [f"{h:.3f}" if h < 0 else f"{100 * h:.1f}, {100 * a:.1f}" for h, a in zip(held, test)]
        best = max(range(len(held)), key=held.__getitem__)
        cells[best] = f"**{cells[best]}**"
        print(f"| `{arm}` | " + " | ".join(cells) + " |")


def claims(metrics):
    return " | ".join(interval(metrics[c]) if c in metrics else "-" for c in CLAIMS)


def main():
    print("Learning rates: held-out and test accuracy, %; of enhancement minus the held-out error\n")
    rates()
    print("\nTen seeds: " + " | ".join(CLAIMS + ["points_lost"]) + "\n")
    for metrics in points("ten").values():
        print(claims(metrics), "|", interval(metrics["points_lost"]))
        print(", ".join(f"{m} {100 * metrics[m][0]:.1f} %" for m in ("accuracy_add", "accuracy_coop", "active_add", "active_coop")))
    print("\n| setting | accuracy, % | active, % | points lost | " + " | ".join(CLAIMS) + " |\n" + "|---" * 8 + "|")
    for name in ("transfer", "iterations", "fields", "depth", "penalties", "noise"):
        for axes, metrics in points(name).items():
            arm = next(m.removeprefix("accuracy_") for m in metrics if m.startswith("accuracy_") and "_lambda" not in m and m != "accuracy_add" and "0db" not in m
                       and "without" not in m)
            pair = [" and ".join(f"{100 * metrics[f'{m}_{a}'][0]:.0f}" if m == "active" else f"{100 * metrics[f'{m}_{a}'][0]:.1f}" for a in (arm, "add"))
                    for m in ("accuracy", "active")]
            print(f"| {name} {', '.join(axes)} | {' | '.join(pair)} | {interval(metrics['points_lost'])} | {claims(metrics)} |")


if __name__ == "__main__":
    main()
