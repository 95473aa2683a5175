"""The peers' LIF neurons: h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1, reset detached, sigmoid surrogate of slope 4."""
import torch

import field


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad):
        (u,) = ctx.saved_tensors
        y = torch.sigmoid(4 * u)
        return grad * 4 * y * (1 - y)


def steps(x, v):
    out = []
    for t in range(x.shape[0]):
        h = 0.5 * v + x[t]
        s = Spike.apply(h - 1)
        v = h - s.detach()
        out.append(s)
    return torch.stack(out), v


def eager(x):
    return steps(x, torch.zeros_like(x[0]))[0]


def compiled():
    body = torch.compile(steps, dynamic=False)  # of up to 64 steps, fused over time; more of them would compile for half an hour

    def run(x):
        v, out = torch.zeros_like(x[0]), []
        for part in x.split(64 if x.shape[0] <= 64 else 50):
            s, v = body(part, v)
            out.append(s)
        return out[0] if len(out) == 1 else torch.cat(out)
    return run


def spikingjelly():
    from spikingjelly.activation_based import functional, neuron, surrogate
    node = neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=None, surrogate_function=surrogate.Sigmoid(alpha=4.0), detach_reset=True,
                          step_mode="m", backend="torch")

    def run(x):
        functional.reset_net(node)
        return node(x)
    return run


def snntorch():
    import snntorch as snn
    from snntorch import surrogate
    node = snn.Leaky(beta=0.5, threshold=1.0, reset_mechanism="subtract", spike_grad=surrogate.sigmoid(slope=4))

    def run(x):
        mem, out = node.init_leaky(), []
        for t in range(x.shape[0]):
            s, mem = node(x[t], mem)
            out.append(s)
        return torch.stack(out)
    return run


def peers():
    """name -> (make, where it resets); make() gives neurons: currents [T, ...] -> spikes."""
    return {field.named("torch") + " eager": (lambda: eager, "same_step"),
            field.named("torch") + " compiled": (compiled, "same_step"),
            field.named("spikingjelly"): (spikingjelly, "same_step"),
            field.named("snntorch"): (snntorch, "next_step")}
