"""One step of a spiking network, one sample at a time, on one core.

mlp: 2312-800-10 (N-MNIST). conv: the network of DVS-Gesture shapes at 32 x 32 (2 channels in; three times 3 x 3 convolution to 128
channels, LIF, max pool 2; dense to 512, LIF; dense to 11, LIF). Random weights; thresholds are set so that about 5 % of the inputs of each
weight layer are active, behind a pool if there is one. LIF: h[t] = v[t-1] / 2 + x[t], s = h >= v_th, soft reset. onnxruntime runs one step as a graph with the membranes as
inputs and outputs, bound to memory once; torch runs the same step in eager mode. The limit is the time to read the weights of
all synaptic operations from the second level cache. int8: the same network quantised (graph/quantise.h), run in integers; its spikes and
scores are those of the integer reference, all of them, not those of float32. bfloat16: weights rounded to bfloat16, sums in float32.
"""
import json
import pathlib
import struct
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import field

STEPS, DENSITY = 100, 0.05
MAY_DIFFER = 1e-2  # share of neurons whose trains may differ: sums in another order, and what follows from one other spike


class Net:
    """Layers as (kind, weight, v_th): conv (3 x 3, padding 1), pool (2), dense; neurons follow conv and dense."""

    def __init__(self, name, shape, layers):
        self.name, self.shape, self.layers = name, shape, layers
        rng = np.random.default_rng(5)
        self.frames = (rng.random((STEPS, *shape), dtype=np.float32) < DENSITY).astype(np.float32)
        c, size = shape[0], int(np.prod(shape))
        for layer in layers:
            if layer["kind"] == "pool":
                size //= 4
                continue
            out = layer["out"]
            dims = (out, c, 3, 3) if layer["kind"] == "conv" else (out, size)
            layer["weight"] = (rng.standard_normal(dims, dtype=np.float32) / np.float32((DENSITY * np.prod(dims[1:])) ** 0.5)).astype(np.float32)
            size, c = (size // c * out, out) if layer["kind"] == "conv" else (out, out)
        for layer, after in zip(layers, [*layers[1:], {"kind": "dense"}]):
            layer["pooled"] = after["kind"] == "pool"
        for layer in layers:  # thresholds, one layer after the other, over the frames
            if layer["kind"] != "pool":
                layer["v_th"] = 1e9
                layer["v_th"] = float(np.float32(np.quantile(np.concatenate([h.flatten().numpy() for h in self.membranes(layer)]), 1 - DENSITY)))

    def spiking(self):
        return [layer for layer in self.layers if layer["kind"] != "pool"]

    def step(self, x, states):
        """torch, eager; x [1, C, H, W] or [1, n]; states are replaced. The spikes of each spiking layer."""
        spikes = []
        for layer in self.layers:
            if layer["kind"] == "pool":
                x = torch.nn.functional.max_pool2d(x, 2)
                continue
            w = layer.setdefault("torch", torch.from_numpy(layer["weight"]))
            h = torch.nn.functional.conv2d(x, w, padding=1) if layer["kind"] == "conv" else torch.nn.functional.linear(x.flatten(1), w)
            i = len(spikes)
            if states[i] is not None:
                h = h + 0.5 * states[i]
            x = (h >= layer["v_th"]).to(h.dtype)
            states[i] = h - layer["v_th"] * x
            spikes.append(x)
        return spikes

    def membranes(self, until):
        """h of one layer over the first steps."""
        states, found, n = [None] * len(self.spiking()), [], [layer is until for layer in self.spiking()].index(True)
        layers, self.layers = self.layers, self.layers[:[layer is until for layer in self.layers].index(True) + 1]
        for frame in self.frames[:20]:
            self.step(torch.from_numpy(frame)[None], states)
            found.append(torch.nn.functional.max_pool2d(states[n], 2) if until["pooled"] else states[n])
        self.layers = layers
        return found[5:]  # not the first steps from rest

    def save(self, path):
        """As a model of ours: .safetensors with the graph in its metadata."""
        nodes, tensors, densities, shape, last = [{"name": "input", "op": "input", "inputs": [], "shape": list(self.shape)}], {}, {}, list(self.shape), "input"

        def add(name, op, shape, **attributes):
            nonlocal last
            nodes.append({"name": name, "op": op, "inputs": [last], **attributes, "shape": shape})
            last = name
        for i, layer in enumerate(self.layers):
            if layer["kind"] == "pool":
                shape = [shape[0], shape[1] // 2, shape[2] // 2]
                add(f"pool{i}", "max_pool2d", shape, kernel=2, stride=2)
                continue
            tensors[f"w{i}"], densities[f"{layer['kind']}{i}"] = layer["weight"], DENSITY
            if layer["kind"] == "conv":
                shape = [layer["out"], *shape[1:]]
                add(f"conv{i}", "conv2d", shape, weight=f"w{i}", bias="", stride=[1, 1], pad=[1, 1], groups=1)
            else:
                if len(shape) > 1:
                    add(f"flatten{i}", "flatten", [int(np.prod(shape))])
                shape = [layer["out"]]
                add(f"dense{i}", "linear", shape, weight=f"w{i}", bias="")
            add(f"lif{i}", "neuron", shape, decay=0.5, input_scale=1.0, decay_input=False, v_th=layer["v_th"], v_reset=0.0, reset="soft", compare="ge",
                reset_at="same_step", detach_reset=True, detach_temporal=False, surrogate={"kind": "triangle", "height": 1.0, "width": 1.0}, decay_tensor="")
        add("readout", "readout", shape, kind="rate")
        graph = {"format": "apical.graph", "schema": 1, "name": self.name, "T": STEPS, "input": {"shape": list(self.shape), "kind": "events"},
                 "preprocess": {"mean": [], "std": []}, "encoder": {"kind": "event_frames", "seed": 0, "parameters": {}},
                 "classes": [str(i) for i in range(shape[0])], "nodes": nodes, "tensors": {k: list(v.shape) for k, v in tensors.items()}, "densities": densities}
        header, at = {"__metadata__": {"apical.graph": json.dumps(graph)}}, 0
        for name, w in sorted(tensors.items()):
            header[name] = {"dtype": "F32", "shape": list(w.shape), "data_offsets": [at, at + w.nbytes]}
            at += w.nbytes
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(w.tobytes() for _, w in sorted(tensors.items())))

    def onnx(self):
        """One step: x and membranes in; spikes of the last layer, membranes and the spikes of every layer out."""
        nodes, constants, inputs, outputs, x = [], [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape])], [], "x"
        shape, n = [1, *self.shape], 0

        def constant(name, value):
            constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
            return name
        constant("half", 0.5)
        for i, layer in enumerate(self.layers):
            if layer["kind"] == "pool":
                nodes.append(helper.make_node("MaxPool", [x], [f"p{i}"], kernel_shape=[2, 2], strides=[2, 2]))
                x, shape = f"p{i}", [1, shape[1], shape[2] // 2, shape[3] // 2]
                continue
            if layer["kind"] == "conv":
                nodes.append(helper.make_node("Conv", [x, constant(f"w{i}", layer["weight"])], [f"y{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
                shape = [1, layer["out"], *shape[2:]]
            else:
                if len(shape) > 2:
                    nodes.append(helper.make_node("Flatten", [x], [f"f{i}"]))
                    x = f"f{i}"
                nodes.append(helper.make_node("MatMul", [x, constant(f"w{i}", np.ascontiguousarray(layer["weight"].T))], [f"y{i}"]))
                shape = [1, layer["out"]]
            th = constant(f"v_th{i}", layer["v_th"])
            nodes += [helper.make_node("Mul", [f"v{n}", "half"], [f"leak{i}"]), helper.make_node("Add", [f"y{i}", f"leak{i}"], [f"h{i}"]),
                      helper.make_node("GreaterOrEqual", [f"h{i}", th], [f"b{i}"]), helper.make_node("Cast", [f"b{i}"], [f"s{n}"], to=TensorProto.FLOAT),
                      helper.make_node("Mul", [f"s{n}", th], [f"r{i}"]), helper.make_node("Sub", [f"h{i}", f"r{i}"], [f"u{n}"])]
            inputs.append(helper.make_tensor_value_info(f"v{n}", TensorProto.FLOAT, shape))
            outputs += [helper.make_tensor_value_info(f"u{n}", TensorProto.FLOAT, shape), helper.make_tensor_value_info(f"s{n}", TensorProto.FLOAT, shape)]
            x, n = f"s{n}", n + 1
        model = helper.make_model(helper.make_graph(nodes, self.name, inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def onnx_runner(net):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(net.onnx(), options, providers=["CPUExecutionProvider"])
    shapes = {i.name: i.shape for i in session.get_inputs()}
    n = len(net.spiking())
    value = lambda shape: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=np.float32))
    states = [[value(shapes[f"v{i}"]) for i in range(n)] for _ in range(2)]
    spikes, x = [value(shapes[f"v{i}"]) for i in range(n)], [onnxruntime.OrtValue.ortvalue_from_numpy(f[None]) for f in net.frames]
    bindings = []
    for t in range(STEPS):
        b = session.io_binding()
        b.bind_ortvalue_input("x", x[t])
        for i in range(n):
            b.bind_ortvalue_input(f"v{i}", states[t % 2][i])
            b.bind_ortvalue_output(f"u{i}", states[1 - t % 2][i])
            b.bind_ortvalue_output(f"s{i}", spikes[i])
        bindings.append(b)

    def run(keep=None):
        for s in states[0]:
            s.update_inplace(np.zeros(s.shape(), dtype=np.float32))
        for b in bindings:
            session.run_with_iobinding(b)
            if keep is not None:
                keep.append([s.numpy().copy() for s in spikes])
    return run


def torch_runner(net):
    x = [torch.from_numpy(f)[None] for f in net.frames]

    def run(keep=None):
        states = [None] * len(net.spiking())
        for frame in x:
            spikes = net.step(frame, states)
            if keep is not None:
                keep.append([s.numpy().copy() for s in spikes])
    return run


def activity(net, spikes):
    """Shares of ones in what the weight layers read, the frames first; the last layer's have no reader."""
    shares, shape = [net.frames.mean()], net.shape
    for layer in net.layers[:-1]:
        if layer["kind"] == "pool":
            shape = (shape[0], shape[1] // 2, shape[2] // 2)
            continue
        shape = (layer["out"], *shape[1:]) if layer["kind"] == "conv" else (layer["out"],)
        s = torch.from_numpy(spikes[len(shares) - 1]).view(STEPS, *shape)
        shares.append(float((torch.nn.functional.max_pool2d(s, 2) if layer["pooled"] else s).mean()))
    return " ".join(f"{100 * a:.1f}" for a in shares) + " %"


def trains(kept):
    """One matrix [STEPS, neurons] a layer."""
    return [np.stack([k[i].reshape(-1) for k in kept]) for i in range(len(kept[0]))]


def measure(args, net):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        net.save(folder / "model.safetensors")
        np.save(folder / "x.npy", net.frames.reshape(STEPS, -1))
        mine = field.ours(args.binaries / "bench_latency", folder, threads=1)
        ours = [np.load(folder / f"spikes{i}.npy") for i in range(len(net.spiking()))]
    peers, equal, worst = {}, True, 0.0
    for peer, make in ((field.named("onnxruntime"), onnx_runner), (field.named("torch") + " eager", torch_runner)):
        run, kept = make(net), []
        run(kept)
        for a, b in zip(ours, trains(kept)):
            share = float((a != b).any(axis=0).mean())
            worst = max(worst, share)
            equal &= share <= MAY_DIFFER
        peers[peer] = field.summary([t / STEPS for t in field.seconds(run)])
    config = {"network": net.name, "threads": 1, "activity": activity(net, ours), "neurons_that_differ": worst}
    kind = "weights of all synaptic operations read from the second level cache"
    half = {"network": net.name + ", bfloat16", "threads": 1, "activity": config["activity"]}
    int8 = {"network": net.name + ", int8", "threads": 1, "activity": config["activity"]}
    return [field.row("latency", config, equal, mine["step_s"], peers, {"kind": kind, "value": mine["limit_s"][0]}),
            field.row("latency", half, equal, mine["half_step_s"], {"Apical float32": field.summary(mine["step_s"]), **peers},
                      {"kind": kind, "value": mine["half_limit_s"][0]}),
            field.row("latency", int8, equal and mine["int8_exact"] == [1], mine["int8_step_s"], {"Apical float32": field.summary(mine["step_s"]), **peers},
                      {"kind": kind, "value": mine["int8_limit_s"][0]})]


def main():
    args = field.arguments(__doc__)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    nets = [Net("mlp", (2312,), [{"kind": "dense", "out": 800}, {"kind": "dense", "out": 10}]),
            Net("conv", (2, 32, 32), [{"kind": "conv", "out": 128}, {"kind": "pool"}, {"kind": "conv", "out": 128}, {"kind": "pool"}, {"kind": "conv", "out": 128},
                                      {"kind": "pool"}, {"kind": "dense", "out": 512}, {"kind": "dense", "out": 11}])]
    field.publish(args, "latency", [row for net in nets for row in measure(args, net)], ["network", "activity"], __doc__)


if __name__ == "__main__":
    main()
