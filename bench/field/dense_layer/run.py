"""A dense layer of n to n and LIF neurons over T = 500 steps, batch 16 (the layer of the Open Neuromorphic benchmark, on a CPU).

Dense input (normal noise): forward and backward to the weights. Spikes (Bernoulli, 5 %): forward alone, without gradients; ours
walks its neurons behind each block of steps (kernels/event_lif.h). Neurons, and the forms in which results are compared, as in lif_scan. The
peers multiply all steps at once before their neurons walk them, which is faster than a product a step. The last column of Apical is the time
of its matrix products alone in the same run over its whole time: above 100 %, events beat the product.
A peer whose first call takes more than ten seconds is called once ("once").
Currents are kept for backward, which writes their gradient over them. "Currents made again": they are not kept (`recompute` of a network), a third
product where there were two.
Memory: the most that a run holds by malloc above inputs, weights and their gradients, the spikes that it returns included; in a process of its own.
Forward alone holds little else than these, which both sides return as floats: its ratio is given without them too.
"""
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np

import field
import neurons

T, BATCH = 500, 16
JUST_IN_TIME = ("compiled", "spyx")  # their first call compiles
TOO_SLOW = 10  # seconds of a peer's first call, above which no more are taken
MAY_DIFFER = 1e-3  # share of neurons whose spikes may differ: sums in another order put a membrane on the other side of the threshold


def inputs(kind, n):
    rng = np.random.default_rng(2)
    rows = T * BATCH
    if kind == "dense":
        x, std = rng.standard_normal((rows, n), dtype=np.float32), 1.0
    else:
        x, std = (rng.random((rows, n), dtype=np.float32) < 0.05).astype(np.float32), 0.05 ** 0.5
    w = (rng.standard_normal((n, n), dtype=np.float32) / np.float32(std * n ** 0.5)).astype(np.float32)
    return x, w, rng.standard_normal((rows, n), dtype=np.float32) if kind == "dense" else None


def ours(args, folder, form, *words, runs):
    """Our times, spikes and gradient of the weights."""
    times = field.ours(args.binaries / "bench_dense_layer", folder, "--steps", T, *form.words(), *words, threads=args.threads, runs=runs)
    return times, np.load(folder / "spikes.npy"), np.load(folder / "grad_w.npy") if (folder / "grad_w.npy").exists() else None


def check(mine, spikes, grad_w, form):
    """Share of neurons whose spike trains differ, and the relative distance of the weights' gradients."""
    _, mine_spikes, mine_grad_w = mine
    share = float((mine_spikes.reshape(T, -1)[:T - form.delay] != np.asarray(spikes).reshape(T, -1)[form.delay:]).any(axis=0).mean())
    return share, 0.0 if grad_w is None else float(np.linalg.norm(mine_grad_w - np.asarray(grad_w)) / np.linalg.norm(grad_w))


def our_memory(args, folder, *words):
    return field.peak_bytes(args, args.binaries / "bench_dense_memory", folder, "--steps", T, "--threads", args.threads, "--peak", *words)


def peers_memory(args, folder):
    """The leanest peer's, with its name."""
    peers = {peer: field.peak_bytes(args, sys.executable, "-B", pathlib.Path(__file__).parent / "peak.py", folder, peer, args.threads)
             for peer in neurons.peers()}
    for peer, b in peers.items():
        print(f"   memory {peer}: {field.megabytes(b)}", flush=True)
    leanest = min(peers, key=peers.get)
    return peers[leanest], leanest


def measure(args, kind, n):
    x, w, grad = inputs(kind, n)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "w.npy", w)
        times, once, equal, worst, form_before, timed = {}, {}, True, 0.0, None, {}
        for peer, (make, form) in neurons.peers().items():
            given = None if grad is None else form.grad(grad.reshape(T, BATCH, n))
            if form != form_before:
                if grad is not None:
                    np.save(folder / "grad.npy", given.reshape(grad.shape))
                variants = [()] if form_before or grad is None else [(), ("--recompute",)]
                mine = [ours(args, folder, form, *words, runs=1 if form_before else field.RUNS) for words in variants]
                timed = timed or {words: m[0] for words, m in zip(variants, mine)}  # in the form of the first
                form_before = form
            run = make(x.reshape(T, BATCH, n), given, w)
            start = time.perf_counter()
            spikes, grad_w = run()
            first = time.perf_counter() - start
            share, gap = (max(values) for values in zip(*(check(m, spikes, grad_w, form) for m in mine)))
            del spikes, grad_w
            equal &= share <= MAY_DIFFER and gap <= 1e-3
            worst = max(worst, share)
            if first > TOO_SLOW and not any(name in peer for name in JUST_IN_TIME):
                once[peer] = first
            else:
                times[peer] = field.summary(field.seconds(run, warm=True))
            print(f"   {kind} n={n} {peer}: {field.si(once.get(peer) or times[peer]['median_s'])}, {share:.1e} of the neurons differ, gradients by {gap:.1e}", flush=True)
        lean, leanest = peers_memory(args, folder)
        rows = []
        for words, mine in timed.items():
            config = {"input": "5 % spikes, forward" if grad is None else "dense, forward and backward" + (", currents made again" if words else ""), "n": n, "T": T,
                      "batch": BATCH, "threads": args.threads, "neurons_that_differ": worst, "once": once}
            more = 0 if grad is None else w.nbytes  # a run makes one more gradient than it holds
            peak = our_memory(args, folder, *words) - more
            returned = x.nbytes if grad is None else 0  # the spikes: of forward alone nearly all
            beside = f", {(lean - returned) / (peak - returned):.1f} x beside the spikes returned" if returned else ""
            config.update({"peak_bytes": peak, "leanest_peer_bytes": lean - more, "leanest_peer": leanest, "spikes_returned_bytes": returned,
                           "memory": field.megabytes(peak),
                           "leanest peer": f"{field.megabytes(lean - more)} ({(lean - more) / peak:.1f} x{beside}, {leanest})"})
            products = {"kind": "our matrix products alone", "value": statistics.median(mine["products_s"])}
            rows.append(field.row("dense_layer", config, equal, mine["total_s"], times, products))
    return rows


def main():
    args = field.arguments(__doc__)
    field.set_threads(args.threads)
    cases = [("dense", 256), ("spikes", 256)] if args.quick else [(kind, n) for kind in ("dense", "spikes") for n in (512, 1024, 4096)]
    field.publish(args, "dense_layer", [r for kind, n in cases for r in measure(args, kind, n)], ["input", "n", "memory", "leanest peer"], __doc__)


if __name__ == "__main__":
    main()
