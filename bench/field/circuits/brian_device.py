"""What the Brian2 scripts share: its C++ standalone mode with OpenMP, connections, and timing by runs of the program that it writes."""
import pathlib
import resource
import shutil
import tempfile
import time

import brian2 as b2
import numpy as np

import models
import peer


def begin(args):
    """Double precision and the compiler's flags are Brian2's own (-O3 -ffast-math -march=native); without OpenMP for one thread, as it recommends."""
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.devices.cpp_standalone.openmp_threads = args.threads if args.threads > 1 else 0
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j1"]
    b2.defaultclock.dt = models.DT * b2.ms
    b2.seed(args.seed)
    return time.perf_counter()


def fixed_indegree(synapses, sources, targets, degree, rng):
    """`degree` sources for each target, with replacement, as NEST draws them. Ordered by source: the order in which they are walked."""
    i, j = rng.integers(0, sources, targets * degree, dtype=np.int32), np.repeat(np.arange(targets, dtype=np.int32), degree)
    order = np.lexsort((j, i))
    synapses.connect(i=i[order], j=j[order])


def kick(group, on_pre, rng, namespace):
    """The Poisson spikes of models.KICK_* onto the first neurons of `group`; drawn here, so that they cost nothing while it runs."""
    steps = np.arange(round(models.KICK_BEGIN / models.DT), round(models.KICK_END / models.DT))
    which, at = np.nonzero(rng.random((models.KICKED, len(steps))) < models.KICK_RATE * models.DT / 1000)
    source = b2.SpikeGeneratorGroup(models.KICKED, which, steps[at] * models.DT * b2.ms)
    synapses = b2.Synapses(source, group, on_pre=on_pre, namespace=namespace)
    synapses.connect(j="i")
    return source, synapses


def simulate(args, start, network, groups, monitors, synapses, duration):
    """Writes, compiles and runs the program --runs times; times are those of its loop after the warm-up (wall clock with OpenMP, processor time without).
    `groups`: {population: size}, `monitors`: a SpikeMonitor each; all neurons are recorded."""
    duration = args.time or duration
    network.run(args.warmup * b2.ms)
    network.run(duration * b2.ms)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="brian2-"))
    try:
        b2.device.build(directory=str(folder), compile=True, run=False)
        compile_s = time.perf_counter() - start
        times, build = [], []
        for _ in range(args.runs):
            begun = time.perf_counter()
            b2.device.run(str(folder), with_output=False)
            times.append(b2.device._last_run_time)
            build.append(time.perf_counter() - begun - times[-1])
        recorded = {name: (np.asarray(m.t / b2.ms), np.asarray(m.i), groups[name]) for name, m in monitors.items()}
        spikes = sum(int((t > args.warmup).sum()) for t, _, _ in recorded.values())
        peer.report(args, float(np.median(build)), times, spikes, sum(len(s) for s in synapses), recorded, args.warmup + duration,
                    compile_s=compile_s, rss_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
    finally:
        shutil.rmtree(folder)
