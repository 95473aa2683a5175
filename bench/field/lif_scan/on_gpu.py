#!/usr/bin/env python3
"""The scan of scan_cuda_check in torch on the same GPU: forward and backward, triangle surrogate, eager and compiled, beside our figures.

  build/no-torch/apical/kernels/scan_cuda_check --time --json scan_cuda.json
  PYTHONPATH=bench/field bench/field/lif_scan/on_gpu.py scan_cuda.json

h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1, reset detached. Ours writes its spikes as bits, torch as floats: each is timed in its own form.
Spikes and gradients of torch on the GPU are compared with those of the same loop on the CPU, which run.py compares with ours.
"""
import json
import statistics
import sys

import torch

import neurons


class Triangle(neurons.Spike):
    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        return grad * (1 - u.abs()).clamp(min=0)


def scan(x):
    return neurons.steps(x, torch.zeros_like(x[0]), Triangle)[0]


def both(run, x, grad):
    x.grad = None
    s = run(x)
    s.backward(grad)
    return s.detach(), x.grad


def seconds(run, x, grad):
    times = []
    for i in range(10):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        both(run, x, grad)
        stop.record()
        torch.cuda.synchronize()
        if i:
            times.append(start.elapsed_time(stop) * 1e-3)
    return statistics.median(times)


def main():
    ours = {(r["T"], r["neuron_steps"]): r["median_s"] for r in json.load(open(sys.argv[1]))["timing"] if r["scan"] == "forward + backward"}
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    for T in (4, 16, 64):
        torch._dynamo.reset()
        runs = {"eager": scan, "compiled": torch.compile(scan, dynamic=False)}
        for steps in (4 << 20, 64 << 20, 512 << 20):
            x = (0.6 * torch.randn(T, steps // T, device="cuda") + 0.3).requires_grad_()
            grad = torch.randn_like(x)
            part = x[:, :4096].detach().cpu().requires_grad_()
            spikes, grad_x = both(scan, part, grad[:, :4096].cpu())
            for name, run in runs.items():
                s, g = both(run, x, grad)
                same = (s[:, :4096].cpu() == spikes).all(0) & torch.isclose(g[:, :4096].cpu(), grad_x, rtol=1e-5, atol=1e-6).all(0)
                del s, g
                t = seconds(run, x, grad)
                print(f"T={T:2} {steps >> 20:3} Mi steps, {name:8}: {t * 1e6:9.1f} us, {t / ours[T, steps]:6.1f} x ours; "
                      f"{4096 - int(same.sum())} of 4096 neurons differ", flush=True)


if __name__ == "__main__":
    main()
