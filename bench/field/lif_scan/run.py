"""One layer of LIF neurons over T steps, forward and backward, from x [T, N] and dL/ds [T, N] to spikes and dL/dx.

h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1, reset detached, sigmoid surrogate of slope 4. Peers: the loop in torch (eager and
compiled) and SpikingJelly are exactly that. The others are compared with ours set to their form: snnTorch resets in the next step; Norse
(LIF box) and Sinabs pass a gradient through the reset and have no sigmoid (here SuperSpike, a Gaussian); Spyx (JAX) resets in the next step
with its gradient, SuperSpike, and shows its spikes a step late.
"""
import pathlib
import tempfile

import numpy as np

import field
import neurons


MAY_DIFFER = 1e-4  # share of the neurons: a library that adds in another order rounds a membrane to the other side of the threshold


def differ(folder, x, spikes, grad_x, form):
    """Number of neurons whose spike trains differ. Each must differ first where its membrane in float64 touches the threshold, 1e-5 of it;
    gradients of the others within rounding of float32 sums. None where that does not hold."""
    mine, mine_grad = np.load(folder / "spikes.npy", mmap_mode="r"), np.load(folder / "grad_x.npy", mmap_mode="r")
    mine, spikes = mine[:len(mine) - form.delay], spikes[form.delay:]
    others = np.flatnonzero((mine != spikes).any(axis=0))
    if len(others) > MAY_DIFFER * x.shape[1]:
        return None
    xs, first = x[:, others].astype(np.float64), (mine[:, others] != spikes[:, others]).argmax(axis=0)
    v, s = np.zeros(len(others)), np.zeros(len(others))
    for t in range(len(mine)):  # with our spikes as the past
        h = 0.5 * v - (s if form.reset == "next_step" else 0) + xs[t]
        if (np.abs(h - 1)[first == t] > 1e-5).any():
            return None
        s = np.asarray(mine[t, others], dtype=np.float64)
        v = h - s if form.reset == "same_step" else h
    scale, gap = float(np.abs(mine_grad).max()), np.abs(mine_grad - grad_x)
    gap[:, others] = 0
    return len(others) if float(gap.max()) <= 1e-5 * scale else None


def measure(args, T, steps):
    N = steps // T
    rng = np.random.default_rng(1)
    x = (0.6 * rng.standard_normal((T, N), dtype=np.float32) + 0.3).astype(np.float32)
    grad = rng.standard_normal((T, N), dtype=np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        equal, times, form_before, mine, most = True, {}, None, None, 0
        for peer, (make, form) in neurons.peers().items():
            given = form.grad(grad)
            if form != form_before:
                np.save(folder / "grad.npy", given)
                result = field.ours(args.binaries / "bench_lif_scan", folder, *form.words(), threads=args.threads)
                mine, form_before = mine or result, form  # timed in the form of the first
            run = make(x, given)
            spikes, grad_x = (np.asarray(a) for a in run())
            count = differ(folder, x, spikes, grad_x, form)
            del spikes, grad_x
            if count != 0:
                what = "results differ from ours" if count is None else f"{count} of {N} neurons differ, from a membrane at the threshold on"
                print(f"   {peer}: {what}")
            equal, most = equal and count is not None, max(most, count or 0)
            times[peer] = field.summary(field.seconds(run, warm=True))
            print(f"   T={T} N={N} {peer}: {field.si(times[peer]['median_s'])}", flush=True)
    # forward reads x and writes spikes; backward reads x and dL/ds and writes dL/dx
    least = 20.0 * T * N / mine["copy_bytes_per_s"][0]
    config = {"T": T, "neuron-steps": f"{steps / 1e6:g} M", "threads": args.threads, "neurons_that_differ": most,
              "forward_s": sorted(mine["forward_s"])[len(mine["forward_s"]) // 2]}
    return field.row("lif_scan", config, equal, mine["total_s"], times, {"kind": "copy bandwidth at this footprint, 20 bytes a neuron-step", "value": least})


def main():
    args = field.arguments(__doc__)
    field.set_threads(args.threads)
    sizes = [(4, 1 << 16)] if args.quick else [(T, m << 20) for m in (4, 64) for T in (4, 16, 64)]
    rows = [measure(args, T, steps) for T, steps in sizes]
    field.publish(args, "lif_scan", rows, ["T", "neuron-steps"], __doc__)


if __name__ == "__main__":
    main()
