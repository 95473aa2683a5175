"""Spikes times weights, 1024 to 1024, float32: event by event against matrix products, by the share of ones.

Ours takes spike bits, as our neurons write them, and weights laid out once; "from floats" packs the bits as well. Peers are the matrix
products of the run: OpenBLAS by our own binary and torch's (MKL). The limit is the time to read the weights of all spikes from the second
level cache. Below the crossover, given first, events win against the fastest product.
"""
import pathlib
import tempfile

import numpy as np
import torch

import field

N = 1024
DENSITIES = (0.001, 0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 1.0)
REPEATS = 20


def measure(args, batch, density, w):
    rng = np.random.default_rng(3)
    x = (rng.random((batch, N), dtype=np.float32) < density).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "w.npy", w)
        mine = field.ours(args.binaries / "bench_crossover", folder, threads=args.threads)
        y = np.load(folder / "y.npy")
    tx, tw, out = torch.from_numpy(x), torch.from_numpy(w).t(), torch.empty(batch, N)

    def run():
        for _ in range(REPEATS):
            torch.mm(tx, tw, out=out)
    times = [t / REPEATS for t in field.seconds(run)]
    exact = x.astype(np.float64) @ w.astype(np.float64).T
    equal = bool(np.abs(y - exact).max() <= 1e-4 and np.abs(out.numpy() - exact).max() <= 1e-4)
    peers = {"OpenBLAS, our binary": field.summary(mine["gemm_s"]), field.named("torch") + " mm": field.summary(times)}
    config = {"batch": batch, "ones": f"{100 * density:g} %", "n": N, "threads": args.threads, "from floats": field.si(np.median(mine["from_floats_s"]))}
    return field.row("crossover", config, equal, mine["from_bits_s"], peers, {"kind": "weights read from the second level cache", "value": mine["read_s"][0]})


def crossover(densities, rows):
    """The largest density measured up to which every row is faster than the fastest product."""
    below = 0.0
    for density, r in zip(densities, rows):
        if r["ratio_to_fastest_peer"] < 1:
            return below
        below = density
    return below


def main():
    args = field.arguments(__doc__)
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    w = (np.random.default_rng(4).standard_normal((N, N), dtype=np.float32) / np.float32(N ** 0.5)).astype(np.float32)
    densities = DENSITIES[2:5] if args.quick else DENSITIES
    all_rows, found = [], []
    for batch in (16, 128):
        rows = [measure(args, batch, density, w) for density in densities]
        found.append(f"Batch {batch}: events win up to {100 * crossover(densities, rows):g} % of ones.")
        all_rows += rows
    print("\n".join(found))
    field.publish(args, "crossover", all_rows, ["batch", "ones", "from floats"], __doc__ + "\n" + " ".join(found))


if __name__ == "__main__":
    main()
