"""What the NEST scripts share: the kernel, recorders, and timing by intervals."""
import time

import nest

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


def simulate(args, start, recorders, duration, devices=0, more=dict):
    """Prepares (counted as building), then after the warm-up times --runs intervals of `duration` ms in one go. `devices`: connections that are not
    synapses among neurons. `more`: gives what else to report."""
    duration = args.time or duration
    nest.Prepare()
    build_s = time.perf_counter() - start
    synapses = nest.num_connections - devices - sum(size for _, size in recorders.values())
    nest.Run(args.warmup)
    times, spikes = [], []
    for _ in range(args.runs):
        begun = time.perf_counter()
        nest.Run(duration)
        times.append(time.perf_counter() - begun)
        spikes.append(nest.local_spike_counter)  # of this Run
    nest.Cleanup()
    # The last step's spikes reach a recorder in the next slice: at most one slice is missing.
    recorded = {name: (recorder.events["times"], recorder.events["senders"], size) for name, (recorder, size) in recorders.items()}
    peer.report(args, build_s, times, sum(spikes) / args.runs, synapses, recorded, args.warmup + args.runs * duration, **more())
