"""One layer of LIF neurons over T steps, forward and backward, from x [T, N] and dL/ds [T, N] to spikes and dL/dx.

h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1, reset detached, sigmoid surrogate of slope 4. Peers: the loop in torch (eager and
compiled), SpikingJelly (same step's reset), snnTorch (the next step's reset: ours is set to that form for its row's equality).
"""
import pathlib
import tempfile

import numpy as np
import torch

import field
import neurons


def forward_backward(layer, x, grad):
    x.grad = None
    spikes = layer(x)
    spikes.backward(grad)
    return spikes


def same(folder, spikes, grad_x):
    """Spikes equal, gradients within rounding of float32 sums."""
    mine, mine_grad = np.load(folder / "spikes.npy", mmap_mode="r"), np.load(folder / "grad_x.npy", mmap_mode="r")
    scale = float(np.abs(mine_grad).max())
    return bool(np.array_equal(mine, spikes)) and float(np.abs(mine_grad - grad_x).max()) <= 1e-5 * scale


def measure(args, T, steps):
    N = steps // T
    rng = np.random.default_rng(1)
    x = (0.6 * rng.standard_normal((T, N), dtype=np.float32) + 0.3).astype(np.float32)
    grad = rng.standard_normal((T, N), dtype=np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "grad.npy", grad)
        tx, tg = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad)
        run_ours = lambda reset: field.ours(args.binaries / "bench_lif_scan", folder, "--reset-at", reset, threads=args.threads)
        equal, times, reset_before, mine = True, {}, None, None
        for peer, (make, reset) in sorted(neurons.peers().items(), key=lambda p: p[1][1], reverse=True):  # same_step first
            if reset != reset_before:
                result = run_ours(reset)
                mine = mine or result
                reset_before = reset
            torch._dynamo.reset()
            layer = make()
            spikes = forward_backward(layer, tx, tg)
            good = same(folder, spikes.detach().numpy(), tx.grad.numpy())
            if not good:
                print(f"   {peer}: results differ from ours")
            equal &= good
            del spikes
            times[peer] = field.summary(field.seconds(lambda: forward_backward(layer, tx, tg)))
            print(f"   T={T} N={N} {peer}: {field.si(times[peer]['median_s'])}", flush=True)
    # forward reads x and writes spikes; backward reads x and dL/ds and writes dL/dx
    least = 20.0 * T * N / mine["copy_bytes_per_s"][0]
    config = {"T": T, "neuron-steps": f"{steps / 1e6:g} M", "threads": args.threads, "forward_s": sorted(mine["forward_s"])[len(mine["forward_s"]) // 2]}
    return field.row("lif_scan", config, equal, mine["total_s"], times, {"kind": "copy bandwidth at this footprint, 20 bytes a neuron-step", "value": least})


def main():
    args = field.arguments(__doc__)
    torch.set_num_threads(args.threads)
    sizes = [(4, 1 << 16)] if args.quick else [(T, m << 20) for m in (4, 64) for T in (4, 16, 64)]
    rows = [measure(args, T, steps) for T, steps in sizes]
    field.publish(args, "lif_scan", rows, ["T", "neuron-steps"], __doc__)


if __name__ == "__main__":
    main()
