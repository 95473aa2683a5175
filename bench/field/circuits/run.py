"""Circuits of point neurons: the field's own benchmarks, as NEST and Brian2 ship them.

cuba_nest, coba, hh_coba, cuba_stdp: Brette et al. 2007 as in NEST's examples (4,000 and 11,250 neurons). cuba_brian: Brian2's CUBA.py; hh_brian: its
COBAHH.py, whose equations and method (exponential Euler) Apical takes as text. brunel: NEST's brunel_alpha_nest.py (12,500 neurons, 15.6 M synapses).
microcircuit: Potjans and Diesmann 2014, a tenth of neurons and in-degrees; microcircuit_full: all of it (77,169 neurons, 299 M synapses; on all threads
alone, three seeds where the others have ten).
dt = 0.1 ms. Times are those of the simulation of "bio" ms alone; building stands beside them (of the peers in results.json, with the memory of each).
NEST and Apical go on in one network for five intervals, Brian2 (C++ standalone; its time loop) starts anew for each. Each side has "threads"; Brian2
without OpenMP is listed as well where that is faster. NEST has one weight for all synapses of a kind (static_synapse_hom_w), which is faster than the
examples' own. "delivery": synaptic events a second (the median of the intervals) against floats that the same threads add to random places of a ring
buffer of the same bytes.
Equal: rate, cv of intervals and correlation of counts of each population, mean, deviation and deciles of weights that learn, Apical's seeds and each
peer against NEST's own seeds (hh_brian: Brian2's), by a t-test for two samples with a common variance at 1 % for the whole family (population.py). A
peer that fails it is not a peer: "results differ". `bench/field/run.sh circuits:brunel` measures one of them anew and leaves the other rows, so each names its machine.
"""
import dataclasses
import json
import pathlib
import subprocess
import sys

import field
import models
import population

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Workload:
    scripts: dict            # of each peer
    ms: float                # "bio"
    name: str = ""           # what scripts and bench_circuits call it, where that is another
    words: tuple = ()        # for all of them
    seeds: int = 10
    one_thread: bool = True  # is measured too


NEST_AND_BRIAN = {"nest-simulator": "nest_cuba.py", "brian2": "brian_cuba.py"}
MICROCIRCUIT = {"nest-simulator": "nest_microcircuit.py"}
WORKLOADS = {w: Workload(NEST_AND_BRIAN, m["time"]) for w, m in models.VOGELS_ABBOTT.items()} | {
    "cuba_stdp": Workload({"nest-simulator": "nest_cuba_stdp.py"}, models.STDP["time"]),
    "hh_brian": Workload({"brian2": "brian_cuba.py"}, models.VOGELS_ABBOTT["hh_brian"]["time"]),
    "brunel": Workload({"nest-simulator": "nest_brunel.py", "brian2": "brian_brunel.py"}, 1000.0),
    "microcircuit": Workload(MICROCIRCUIT, 1000.0, words=("--scale", 0.1)),
    "microcircuit_full": Workload(MICROCIRCUIT, 1000.0, name="microcircuit", seeds=3, one_thread=False)}
QUICK_SEEDS, QUICK_MS = 3, 300.0


def call(command):
    """The last line of JSON that the command prints."""
    p = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(p.stdout.splitlines()[-1])


def peer(package, workload, *words):
    w = WORKLOADS[workload]
    return call([sys.executable, "-W", "ignore", HERE / w.scripts[package], w.name or workload, *w.words, *words])


def ours(args, workload, threads, seed, ms, *words):
    w = WORKLOADS[workload]
    return call([args.binaries / "bench_circuits", w.name or workload, *w.words, "--threads", threads, "--seed", seed, "--time", ms, *words])


def statistics(result):
    """What is compared: one value a population and statistic."""
    return {f"{key} {p}": v for key in ("rates", "cv", "correlation", "weights") if isinstance(result.get(key), dict) for p, v in result[key].items()}


def agrees(reference, others, name):
    """Whether the seeds `others` are within the spread of the reference's; prints what is not."""
    good = True
    for statistic, a, b, p, passes in population.compare(reference, others):
        good = good and passes
        if not passes:
            print(f"   {name}: {statistic} {b:.4g}, reference {a:.4g}, p = {p:.2g}", flush=True)
    return good


def measure(args, workload):
    w = WORKLOADS[workload]
    ms, seeds = (min(w.ms, QUICK_MS), range(1, 1 + QUICK_SEEDS)) if args.quick else (w.ms, range(1, 1 + w.seeds))
    once = ["--runs", 1, "--time", ms]
    first = next(iter(w.scripts))
    reference = [statistics(peer(first, workload, "--threads", args.threads, "--seed", s, "--record", 0, *once)) for s in seeds]
    equal = agrees(reference, [statistics(ours(args, workload, args.threads, s, ms, "--runs", 1)) for s in seeds], "Apical")
    # One seed: its program is compiled anew for each.
    differs = [package for package in w.scripts if package != first and
               not agrees(reference, [statistics(peer(package, workload, "--seed", 1, "--record", 0, *once))], package)]
    rows = []
    for threads in sorted({1, args.threads}) if w.one_thread else [args.threads]:
        mine, peers, build, rss = ours(args, workload, threads, 1, ms), {}, {}, {}
        for package in w.scripts:
            name = field.named(package)
            # Brian2's OpenMP may be slower than its one thread: both are its settings.
            for n in {"nest-simulator": [threads], "brian2": sorted({1, threads})}[package]:
                r = peer(package, workload, "--threads", n, "--runs", field.FEWEST, "--time", ms)
                label = name if n == threads else f"{name}, {n} thread"
                build[label], rss[label] = r["build_s"], r["rss_bytes"]
                if package not in differs:
                    peers[label] = field.summary(r["simulate_s"])
                print(f"   {workload}, {threads} threads, {label}: {field.si(field.summary(r['simulate_s'])['median_s'])}", flush=True)
        learning = f"; learning {field.si(mine['learning_s'])} apart" if mine["learning_s"] > 0 else ""
        config = {"workload": workload, "machine": field.cpu(), "threads": threads, "bio": f"{ms:g} ms", "spikes": mine["spikes"], "synapses": mine["synapses"],
                  "rates": " ".join(f"{k} {v:.1f}" for k, v in mine["rates"].items()) + " Hz", "built in": field.si(mine["build_s"]), "update_s": mine["update_s"],
                  "learning_s": mine["learning_s"], "delivery_s": mine["delivery_s"],
                  "delivery": f"{100 * mine['events_per_s'] / mine['limit_events_per_s']:.0f} % of the limit" + learning, "rss_bytes": mine["rss_bytes"],
                  "peers_build_s": build, "peers_rss_bytes": rss, "differs": differs, "seeds": len(seeds)}
        limit = {"kind": "a float added to a random place of a ring buffer of the same bytes for each synaptic event",
                 "value": mine["events"] / mine["limit_events_per_s"]}
        rows.append(field.row("circuits", config, equal, mine["simulate_s"], peers, limit))
    return rows


def main():
    args = field.arguments(__doc__, list(WORKLOADS))
    order, rows = list(WORKLOADS), []
    if args.only and not args.quick:
        rows = [r for r in json.loads((HERE / "results.json").read_text(encoding="utf-8")) if r["config"]["workload"] != args.only]
    for workload in [args.only] if args.only else order:  # published one by one: all of them take more than an hour
        rows = sorted(rows + measure(args, workload), key=lambda r: order.index(r["config"]["workload"]))
        field.publish(args, "circuits", rows, ["workload", "machine", "threads", "bio", "rates", "built in", "delivery"], __doc__)


if __name__ == "__main__":
    main()
