"""A dense layer of n to n and LIF neurons over T = 500 steps, batch 16 (the layer of the Open Neuromorphic benchmark, on a CPU).

Dense input (normal noise): forward and backward to the weights. Spikes (Bernoulli, 5 %): forward alone, without gradients. Neurons, and the
forms in which results are compared, as in lif_scan. The peers multiply all steps at once before their neurons walk them, which is faster
than a product a step. The last column of Apical is the time of its matrix products alone in the same run over its whole time: above 100 %,
events beat the product.
A peer whose first call takes more than ten seconds is called once ("once").
Memory: the most that a run holds by malloc above inputs, weights and their gradients, the spikes that it returns included; in a process of its own.
"""
import pathlib
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


def check(folder, spikes, grad_w, form):
    """Share of neurons whose spike trains differ, and the relative distance of the weights' gradients."""
    n = spikes.shape[-1]
    mine = np.load(folder / "spikes.npy").reshape(T, BATCH * n)[:T - form.delay]
    share = float((mine != spikes.reshape(T, BATCH * n)[form.delay:]).any(axis=0).mean())
    if grad_w is None:
        return share, 0.0
    return share, float(np.linalg.norm(np.load(folder / "grad_w.npy") - grad_w) / np.linalg.norm(grad_w))


def memory(args, folder, grad_bytes):
    """Ours, and the leanest peer's with its name."""
    mine = field.peak_bytes(args, args.binaries / "bench_dense_layer", folder, "--steps", T, "--threads", args.threads, "--peak")
    peers = {peer: field.peak_bytes(args, sys.executable, "-B", pathlib.Path(__file__).parent / "peak.py", folder, peer, args.threads)
             for peer in neurons.peers()}
    for peer, b in peers.items():
        print(f"   memory {peer}: {field.megabytes(b - grad_bytes)}, ours {field.megabytes(mine - grad_bytes)}", flush=True)
    leanest = min(peers, key=peers.get)
    return mine - grad_bytes, peers[leanest] - grad_bytes, leanest


def measure(args, kind, n):
    x, w, grad = inputs(kind, n)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "w.npy", w)
        times, once, equal, worst, form_before, mine = {}, {}, True, 0.0, None, None
        for peer, (make, form) in neurons.peers().items():
            given = None if grad is None else form.grad(grad.reshape(T, BATCH, n))
            if form != form_before:
                if grad is not None:
                    np.save(folder / "grad.npy", given.reshape(grad.shape))
                result = field.ours(args.binaries / "bench_dense_layer", folder, "--steps", T, *form.words(), threads=args.threads,
                                    runs=1 if mine else field.RUNS)  # timed in the form of the first
                mine, form_before = mine or result, form
            run = make(x.reshape(T, BATCH, n), given, w)
            start = time.perf_counter()
            spikes, grad_w = run()
            first = time.perf_counter() - start
            share, gap = check(folder, np.asarray(spikes), None if grad_w is None else np.asarray(grad_w), form)
            del spikes, grad_w
            equal &= share <= MAY_DIFFER and gap <= 1e-3
            worst = max(worst, share)
            if first > TOO_SLOW and not any(name in peer for name in JUST_IN_TIME):
                once[peer] = first
            else:
                times[peer] = field.summary(field.seconds(run, warm=True))
            print(f"   {kind} n={n} {peer}: {field.si(once.get(peer) or times[peer]['median_s'])}, {share:.1e} of the neurons differ, gradients by {gap:.1e}", flush=True)
        peak, lean, leanest = memory(args, folder, 0 if grad is None else w.nbytes) if n < 4096 else (None, None, None)
    products = sorted(mine["products_s"])[len(mine["products_s"]) // 2]
    config = {"input": "dense, forward and backward" if grad is not None else "5 % spikes, forward", "n": n, "T": T, "batch": BATCH, "threads": args.threads,
              "neurons_that_differ": worst, "peak_bytes": peak, "leanest_peer_bytes": lean, "leanest_peer": leanest,
              "memory": field.megabytes(peak), "leanest peer": f"{field.megabytes(lean)} ({lean / peak:.1f} x, {leanest})" if lean else "not measured"}
    return field.row("dense_layer", config, equal, mine["total_s"], times, {"kind": "our matrix products alone", "value": products})


def main():
    args = field.arguments(__doc__)
    field.set_threads(args.threads)
    cases = [("dense", 256), ("spikes", 256)] if args.quick else [(kind, n) for kind in ("dense", "spikes") for n in (512, 1024, 4096)]
    field.publish(args, "dense_layer", [measure(args, kind, n) for kind, n in cases], ["input", "n", "memory", "leanest peer"], __doc__)


if __name__ == "__main__":
    main()
