"""A dense layer of n to n and LIF neurons over T = 500 steps, batch 16 (the layer of the Open Neuromorphic benchmark, on a CPU).

Dense input (normal noise): forward and backward to the weights. Spikes (Bernoulli, 5 %): forward alone, without gradients. Neurons, and the
forms in which results are compared, as in lif_scan. The peers multiply all steps at once before their neurons walk them, which is faster
than a product a step. The last column of Apical is the time of its matrix products alone in the same run over its whole time: above 100 %,
events beat the product.
"""
import pathlib
import tempfile

import numpy as np

import field
import neurons

T, BATCH = 500, 16
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


def measure(args, kind, n):
    x, w, grad = inputs(kind, n)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "w.npy", w)
        times, equal, worst, form_before, mine = {}, True, 0.0, None, None
        for peer, (make, form) in neurons.peers().items():
            given = None if grad is None else form.grad(grad.reshape(T, BATCH, n))
            if form != form_before:
                if grad is not None:
                    np.save(folder / "grad.npy", given.reshape(grad.shape))
                result = field.ours(args.binaries / "bench_dense_layer", folder, "--steps", T, *form.words(), threads=args.threads)
                mine, form_before = mine or result, form  # timed in the form of the first
            run = make(x.reshape(T, BATCH, n), given, w)
            spikes, grad_w = run()
            share, gap = check(folder, np.asarray(spikes), None if grad_w is None else np.asarray(grad_w), form)
            del spikes, grad_w
            equal &= share <= MAY_DIFFER and gap <= 1e-3
            worst = max(worst, share)
            times[peer] = field.summary(field.seconds(run, warm=True))
            print(f"   {kind} n={n} {peer}: {field.si(times[peer]['median_s'])}, {share:.1e} of the neurons differ, gradients by {gap:.1e}", flush=True)
    products = sorted(mine["products_s"])[len(mine["products_s"]) // 2]
    config = {"input": "dense, forward and backward" if grad is not None else "5 % spikes, forward", "n": n, "T": T, "batch": BATCH, "threads": args.threads,
              "neurons_that_differ": worst}
    return field.row("dense_layer", config, equal, mine["total_s"], times, {"kind": "our matrix products alone", "value": products})


def main():
    args = field.arguments(__doc__)
    field.set_threads(args.threads)
    cases = [("dense", 256), ("spikes", 256)] if args.quick else [(kind, n) for kind in ("dense", "spikes") for n in (512, 1024, 4096)]
    field.publish(args, "dense_layer", [measure(args, kind, n) for kind, n in cases], ["input", "n"], __doc__)


if __name__ == "__main__":
    main()
