"""What the peers' scripts share: arguments, and the JSON line that they print."""
import argparse
import json
import resource

import population


def arguments(*workloads):
    p = argparse.ArgumentParser()
    p.add_argument("workload", choices=workloads)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--time", type=float, help="ms of one interval; default: the workload's own")
    p.add_argument("--warmup", type=float, default=100.0, help="ms before the first interval")
    p.add_argument("--runs", type=int, default=5, help="intervals timed: NEST goes on in the same network, Brian2 starts anew")
    p.add_argument("--record", type=int, default=500, help="neurons recorded in each population, 0 for all")
    p.add_argument("--scale", type=float, default=1.0, help="of the microcircuit")
    return p.parse_args()


def report(args, build_s, simulate_s, spikes, synapses, recorded, duration, **more):
    """`recorded`: {population: (times in ms, neurons, how many are recorded)} of warm-up and intervals, `duration` ms in all. `spikes`: of all neurons in
    an interval. Rates are those after the warm-up; cv and correlation take all that is recorded. `more`: of this peer."""
    each = {name: population.describe(t, n, size, args.warmup, duration) for name, (t, n, size) in recorded.items()}
    print(json.dumps({"workload": args.workload, "threads": args.threads, "seed": args.seed, "recorded_ms": duration, "build_s": build_s, "simulate_s": simulate_s,
                      "spikes": spikes, "synapses": synapses, "rates": {k: v["rate"] for k, v in each.items()}, "cv": {k: v["cv"] for k, v in each.items()},
                      "correlation": {k: v["correlation"] for k, v in each.items()},
                      "rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} | more))
