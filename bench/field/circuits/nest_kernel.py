"""What the NEST scripts share: the kernel, recorders, and timing by intervals."""
import time

import nest
import numpy as np

import models
import peer


def begin(args):
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=models.DT, local_num_threads=args.threads, rng_seed=args.seed)
    return time.perf_counter()


def record(args, populations):
    """A recorder for the first neurons of each of {name: nodes}."""
    out = {}
    for name, nodes in populations.items():
        size = min(args.record or len(nodes), len(nodes))
        recorder = nest.Create("spike_recorder")
        nest.Connect(nodes[:size], recorder)
        out[name] = (recorder, size)
    return out


def simulate(args, start, recorders, duration, devices=0):
    """Prepares (counted as building), then times --runs intervals of `duration` ms in one go; statistics are those of the first. `devices`: connections
    that are not synapses among neurons."""
    duration = args.time or duration
    nest.Prepare()
    build_s = time.perf_counter() - start
    synapses = nest.num_connections - devices - sum(size for _, size in recorders.values())
    times, spikes = [], 0
    for i in range(args.runs):
        begun = time.perf_counter()
        nest.Run(duration)
        times.append(time.perf_counter() - begun)
        if i == 0:
            spikes = nest.local_spike_counter
    nest.Cleanup()
    recorded = {}
    for name, (recorder, size) in recorders.items():
        t, n = recorder.events["times"], recorder.events["senders"]
        first = t <= duration + 1e-6
        recorded[name] = (np.asarray(t)[first], np.asarray(n)[first], size)
    peer.report(args, build_s, times, spikes, synapses, recorded, duration)
