"""A layer of two-point cells, forward and backward, from R, the context and dL/dh [B, H] to h, dL/dR and dL/dcontext.

C = 3 tanh(context / 3), h = ReLU6(R^2 + 2 R + C (1 + |R|)), through autograd on both sides. Peer: the same formula in torch operations, eager
and compiled. Where gradients are compared, T at a corner of ReLU6 (1e-5) is left out: rounding decides its side. A run of a small layer is the
mean of many calls. The limit counts 32 bytes a cell: forward reads two rows and writes one, backward reads three and writes two.
"""
import pathlib
import tempfile

import numpy as np
import torch

import field


def cells(r, context):
    c = 3 * torch.tanh(context / 3)
    return torch.nn.functional.relu6(r * r + 2 * r + c * (1 + r.abs()))


def peers():
    torch._dynamo.reset()
    version = field.named("torch")
    return {f"{version} eager": cells, f"{version} compiled": torch.compile(cells, dynamic=False)}


def equal(folder, r, context, results):
    """h within 1e-5 of it, gradients within 1e-5 of the largest away from the corners."""
    c = 3 * np.tanh(context.astype(np.float64) / 3)
    t = r.astype(np.float64) ** 2 + 2 * r + c * (1 + np.abs(r))
    smooth = (np.abs(t) > 1e-5) & (np.abs(t - 6) > 1e-5)
    for name, theirs in zip(("h", "grad_r", "grad_context"), results):
        mine = np.load(folder / f"{name}.npy")
        gap = np.abs(mine - theirs)[smooth if name != "h" else ...]
        if not gap.max() <= 1e-5 * max(1.0, float(np.abs(theirs).max())):
            print(f"   {name} differs by {gap.max()}")
            return False
    return True


def measure(args, B, H):
    rng = np.random.default_rng(1)
    r, context, grad = (rng.standard_normal((B, H), dtype=np.float32) for _ in range(3))
    repeats = max(1, (1 << 20) // (B * H))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for key, value in (("r", r), ("context", context), ("grad", grad)):
            np.save(folder / f"{key}.npy", value)
        mine = field.ours(args.binaries / "bench_two_point", folder, "--repeats", repeats, threads=args.threads)
        R, C = (torch.from_numpy(a).clone().requires_grad_() for a in (r, context))
        g = torch.from_numpy(grad)
        good, times = True, {}
        for peer, forward in peers().items():
            def run():
                for _ in range(repeats):
                    R.grad = C.grad = None
                    h = forward(R, C)
                    h.backward(g)
                return h.detach().numpy(), R.grad.numpy(), C.grad.numpy()
            good = equal(folder, r, context, run()) and good
            times[peer] = field.summary([t / repeats for t in field.seconds(run, warm=True)])
            print(f"   B={B} H={H} {peer}: {field.si(times[peer]['median_s'])}", flush=True)
    least = 32.0 * B * H / mine["copy_bytes_per_s"][0]
    config = {"shape": f"{B} x {H}", "threads": args.threads, "forward_s": sorted(mine["forward_s"])[len(mine["forward_s"]) // 2]}
    return field.row("two_point", config, good, mine["total_s"], times, {"kind": "copy bandwidth at this footprint, 32 bytes a cell", "value": least})


def main():
    args = field.arguments(__doc__)
    field.set_threads(args.threads)
    sizes = [(64, 128)] if args.quick else [(64, 128), (64, 1024), (1024, 4096)]
    field.publish(args, "two_point", [measure(args, B, H) for B, H in sizes], ["shape"], __doc__)


if __name__ == "__main__":
    main()
