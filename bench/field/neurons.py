"""The peers' LIF neurons: h[t] = v[t-1] / 2 + x[t], s = h >= 1, soft reset by 1.

Reset in the same step, no gradient through its spike, and a sigmoid surrogate of slope 4 where a library has them. Where it has not, our side is
set to its form to compare results (`Form`), and both are timed in their own: the work is the same but for the surrogate.
"""
import typing

import numpy as np
import torch

import field


class Form(typing.NamedTuple):
    reset: str = "same_step"
    options: tuple = ()  # of our side: bench/field/lif_options.h
    delay: int = 0       # the library's spikes come so many steps later

    def grad(self, grad):
        """dL/ds as both sides can have it: a late library never shows its last spikes."""
        if self.delay:
            grad = grad.copy()
            grad[-self.delay:] = 0
        return grad

    def words(self):
        return ("--reset-at", self.reset, *self.options)


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


def steps(x, v, spike=Spike):
    out = []
    for t in range(x.shape[0]):
        h = 0.5 * v + x[t]
        s = spike.apply(h - 1)
        v = h - s.detach()
        out.append(s)
    return torch.stack(out), v


def eager():
    return lambda x: steps(x, torch.zeros_like(x[0]))[0]


def compiled():
    torch._dynamo.reset()
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


def norse():
    """Its membrane is half of ours: v += (x - v) / 2, threshold 1/2. SuperSpike of slope 1 in that unit, whatever `alpha` says (1.1.0)."""
    from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
    from norse.torch.functional.reset import reset_subtract
    p = LIFBoxParameters(tau_mem_inv=torch.tensor(0.5), v_th=torch.tensor(0.5), method="super", alpha=torch.tensor(1.0), reset_method=reset_subtract)

    def run(x):
        state, out = LIFBoxFeedForwardState(v=torch.zeros_like(x[0])), []
        for t in range(x.shape[0]):
            s, state = lif_box_feed_forward_step(x[t], state, p, dt=1.0)
            out.append(s)
        return torch.stack(out)
    return run


def sinabs():
    """Its Gaussian surrogate, scaled to height 1; [batch, time, ...], here as one batch."""
    from sinabs import activation, layers
    sigma = 0.5
    node = layers.LIF(tau_mem=1 / np.log(2), spike_threshold=torch.tensor(1.0), spike_fn=activation.SingleSpike, reset_fn=activation.MembraneSubtract(),
                      surrogate_grad_fn=activation.Gaussian(sigma=sigma, grad_scale=sigma * (2 * np.pi) ** 0.5), norm_input=False)
    node.requires_grad_(False)  # no gradient of tau

    def run(x):
        node.reset_states()
        return node(x[None])[0]
    return run


def on_torch(layer):
    """make(x, grad, w) of a torch layer: see peers()."""
    def make(x, grad, w=None):
        run_layer, inputs, tg = layer(), torch.from_numpy(x), None if grad is None else torch.from_numpy(grad)
        leaf = inputs if w is None else torch.from_numpy(w)
        leaf = leaf.detach().requires_grad_(grad is not None)

        def run():
            with torch.set_grad_enabled(grad is not None):
                leaf.grad = None
                currents = leaf if w is None else torch.nn.functional.linear(inputs.flatten(0, -2), leaf).view(*x.shape[:-1], -1)
                spikes = run_layer(currents)
                if grad is not None:
                    spikes.backward(tg)
                return spikes.detach(), leaf.grad
        return run
    return make


def spyx(x, grad, w=None):
    """SuperSpike of slope 1. Its neurons look at the membrane before the step: their spikes come a step late."""
    import jax
    import jax.numpy as jnp
    import spyx.axn
    import spyx.nn
    from flax import nnx
    node = spyx.nn.LIF(x.shape[1:], beta=0.5, threshold=1.0, activation=spyx.axn.superspike(k=1.0), rngs=nnx.Rngs(0))
    inputs, leaf = jnp.asarray(x), jnp.asarray(x if w is None else w)

    def forward(inputs, leaf):
        currents = leaf if w is None else (inputs.reshape(-1, x.shape[-1]) @ leaf.T).reshape(*x.shape[:-1], -1)

        def step(v, current):
            s, v = node(current, v)
            return v, s
        return jax.lax.scan(step, jnp.zeros_like(currents[0]), currents)[1]

    if grad is None:
        alone = jax.jit(forward)
        return lambda: (jax.block_until_ready(alone(inputs, leaf)), None)

    @jax.jit
    def both(inputs, leaf, grad):
        spikes, back = jax.vjp(lambda a: forward(inputs, a), leaf)
        return spikes, back(grad)[0]
    late = jnp.asarray(np.roll(grad, 1, axis=0))
    return lambda: jax.block_until_ready(both(inputs, leaf, late))


def peers():
    """name -> (make, Form). make(x, grad, w) gives run(): a layer of neurons with currents x [T, ...], or x @ w.T where there are weights; run()
    returns spikes and the gradient of w, or else of x (grad None: forward alone)."""
    undetached = ("--keep-reset",)
    return {field.named("torch") + " eager": (on_torch(eager), Form()),
            field.named("torch") + " compiled": (on_torch(compiled), Form()),
            field.named("spikingjelly"): (on_torch(spikingjelly), Form()),
            field.named("snntorch"): (on_torch(snntorch), Form("next_step")),
            field.named("norse"): (on_torch(norse), Form(options=(*undetached, "--surrogate", "fast_sigmoid", "--height", 0.5, "--width", 2))),
            field.named("sinabs"): (on_torch(sinabs), Form(options=(*undetached, "--surrogate", "gaussian", "--width", 0.5))),
            field.named("spyx"): (spyx, Form("next_step", (*undetached, "--surrogate", "fast_sigmoid"), delay=1))}
