"""Writes synapses.json beside this file: what NEST's synapses have become at each spike of their source, for the tests of apical/brain.

Run by hand, in a virtual environment of its own (the one of make.py serves); the tests read the file and need no NEST:
    nest-venv/bin/python tests/golden/nest/synapses.py

A run is one synapse from one parrot neuron to another: {"model", "parameters", "tau_minus", "tau_minus_triplet", "weight" (first), "delay_steps", "pre",
"post" (steps at which the two have spiked, step n ends at n dt), "weights": [sent with each spike of "pre"]}. Spikes of "pre" reach the target at a
port that it does not relay. The source spikes first: NEST's stdp_nn_symm_synapse pairs spikes of the target before that with time 0.
stdp_dopamine_synapse has "dopamine" too: steps at which spikes have come to its volume transmitter.
"""
import json
import pathlib

import nest
import numpy as np

DT = 0.1
MODELS = {
    "stdp_synapse": [{}, {"tau_plus": 15.0, "lambda": 0.2, "alpha": 1.3, "mu_plus": 0.0, "mu_minus": 0.0, "Wmax": 70.0},
                     {"lambda": 0.1, "alpha": 0.7, "mu_plus": 0.3, "mu_minus": 0.6, "Wmax": 90.0}],
    "stdp_nn_symm_synapse": [{}, {"tau_plus": 12.0, "lambda": 0.15, "alpha": 1.2, "mu_plus": 0.5, "mu_minus": 1.0, "Wmax": 80.0}],
    "stdp_pl_synapse_hom": [{}, {"tau_plus": 17.0, "lambda": 0.05, "alpha": 0.6, "mu": 0.7}],
    "stdp_triplet_synapse": [{"Wmax": 60.0}, {"tau_plus": 14.0, "tau_plus_triplet": 80.0, "Aplus": 0.3, "Aminus": 0.9, "Aplus_triplet": 0.5,
                                              "Aminus_triplet": 0.2, "Wmax": 60.0}],
    "stdp_dopamine_synapse": [{}, {"tau_plus": 15.0, "A_plus": 0.1, "A_minus": 0.14, "tau_c": 300.0, "tau_n": 60.0, "b": 0.1, "Wmin": 5.0, "Wmax": 500.0}],
    "tsodyks2_synapse": [{}, {"U": 0.1, "tau_rec": 150.0, "tau_fac": 400.0}],
}


def trains(seed):
    """Steps of two irregular trains with bursts, ties (at the delay too) and a silence longer than any trace."""
    rng = np.random.default_rng(seed)
    pre = [20] + sorted(set(rng.integers(30, 6000, 30)) | set(range(2000, 2060, 7)) | {9900, 10000, 20000, 20100})
    post = sorted(set(rng.integers(30, 6000, 30)) | set(range(2010, 2080, 4)) | {9990, 10000, 10100, 20050} | {pre[5], pre[9] - 15})
    return [int(s) for s in pre], [int(s) for s in post]


def run(model, parameters, seed, delay):
    pre, post = trains(seed)
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=1)
    generators = [nest.Create("spike_generator", params={"spike_times": [round((s - 1) * DT, 1) for s in train]}) for train in (pre, post)]
    source, target = nest.Create("parrot_neuron", 2)
    target.set(tau_minus=25.0, tau_minus_triplet=90.0)
    for g, p in zip(generators, (source, target)):
        nest.Connect(g, p, syn_spec={"delay": DT})
    recorder = nest.Create("weight_recorder")
    common = parameters if model.endswith("hom") else {}
    dopamine = []
    if model == "stdp_dopamine_synapse":
        dopamine = sorted({int(s) for s in np.random.default_rng(seed).integers(100, 12000, 150)})
        transmitter = nest.Create("volume_transmitter")
        releases = nest.Create("spike_generator", params={"spike_times": [round((s - 2) * DT, 1) for s in dopamine]})
        neuron = nest.Create("parrot_neuron")
        nest.Connect(releases, neuron, syn_spec={"delay": DT})
        nest.Connect(neuron, transmitter, syn_spec={"delay": DT})
        common = parameters | {"volume_transmitter": transmitter}
    nest.CopyModel(model, "recorded", {"weight_recorder": recorder} | common)
    spec = {"synapse_model": "recorded", "weight": 50.0, "delay": delay * DT, "receptor_type": 1}
    rest = {"u": parameters["U"]} if "U" in parameters else {}  # setting U leaves u, where the synapse starts, at 0.5
    nest.Connect(source, target, syn_spec=spec | ({} if common else parameters | rest))
    spikes = nest.Create("spike_recorder")
    nest.Connect(source + target, spikes, syn_spec={"delay": DT})
    nest.Simulate(max(pre + post) * DT + delay * DT + 2.0)
    e = spikes.events
    for neuron, train in ((source, pre), (target, post)):
        assert np.rint(e["times"][e["senders"] == neuron.global_id] / DT).astype(int).tolist() == train
    assert np.rint(recorder.events["times"] / DT).astype(int).tolist() == pre
    return ({"dopamine": dopamine} if dopamine else {}) | {"model": model, "parameters": parameters, "tau_minus": 25.0, "tau_minus_triplet": 90.0, "weight": 50.0, "delay_steps": delay, "pre": pre,
            "post": post, "weights": recorder.events["weights"].tolist()}


def main():
    nest.verbosity = nest.VerbosityLevel.ERROR
    runs = [run(model, parameters, 7 * i + len(model), delay) for model, sets in MODELS.items() for i, parameters in enumerate(sets) for delay in (1, 15)]
    for r in runs:
        print(r["model"], r["parameters"], f"{min(r['weights']):.3f} to {max(r['weights']):.3f}")
    out = {"source": "tests/golden/nest/synapses.py", "nest": nest.__version__, "dt_ms": DT, "runs": runs}
    (pathlib.Path(__file__).parent / "synapses.json").write_text(json.dumps(out, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
