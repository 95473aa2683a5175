"""cuba_stdp in NEST, as in its example brette_et_al_2007/cuba_stdp.py."""
import nest
import numpy as np

import models
import nest_kernel
import peer

args = peer.arguments("cuba_stdp")
m = models.STDP
start = nest_kernel.begin(args)
E, I = (nest.Create("iaf_psc_exp", n, params=m["parameters"]) for n in (m["NE"], m["NI"]))
V = np.random.default_rng(args.seed).normal(m["V_mean"], m["V_sd"], m["NE"] + m["NI"])
(E + I).V_m = np.minimum(V, m["parameters"]["V_th"] - 0.1).tolist()
for name, weight in (("excitatory", m["weight"]), ("inhibitory", -m["g"] * m["weight"])):
    nest.CopyModel("static_synapse_hom_w", name, {"weight": weight, "delay": m["delay"]})  # one weight for all: leaner than the example's, and faster
nest.SetDefaults("stdp_synapse", m["stdp"] | {"delay": m["delay"]})
for nodes in (E, I):
    noise = nest.Create("poisson_generator", params={"rate": m["rate"]})
    nest.Connect(noise, nodes, syn_spec={"weight": m["weight"], "delay": m["delay"]})
excitatory, inhibitory = ({"rule": "fixed_indegree", "indegree": m[n]} for n in ("CE", "CI"))
nest.Connect(E, E, excitatory, {"synapse_model": "stdp_synapse", "weight": nest.random.normal(m["weight"], m["sd"])})
nest.Connect(E, I, excitatory, "excitatory")
nest.Connect(I, E + I, inhibitory, "inhibitory")
recorders = nest_kernel.record(args, {"E": E, "I": I})
DELAY, TAU, SOURCES = m["delay"], 20.0, 100


def weights():
    """Those of the first sources as they are at the end: NEST has them as of the last spike of their source, so what spikes of targets have done since
    then is added, as stdp_synapse will at the next."""
    end = nest.biological_time
    e = recorders["E"][0].events
    order = np.argsort(e["times"], kind="stable")
    times, neurons = e["times"][order], e["senders"][order]
    trains = {n: times[neurons == n] for n in range(1, m["NE"] + 1)}
    synapses = nest.GetConnections(E[:SOURCES], E, "stdp_synapse")
    lam, top = synapses[0].get("lambda"), m["stdp"]["Wmax"]
    out = []
    for source, target, w in zip(*(np.asarray(synapses.get(k)) for k in ("source", "target", "weight"))):
        if len(pre := trains[source]):
            K = np.exp((pre - pre[-1]) / TAU).sum()
            post = trains[target] + DELAY
            for p in post[(post > pre[-1]) & (post <= end)]:
                w += lam * (top - w) * K * np.exp((pre[-1] - p) / TAU)
        out.append(w)
    return {"weights": {"mean": float(np.mean(out)), "sd": float(np.std(out)), "q10": float(np.quantile(out, 0.1)), "q90": float(np.quantile(out, 0.9))}}


# Where all neurons are recorded, and so all spikes known.
nest_kernel.simulate(args, start, recorders, m["time"], m["NE"] + m["NI"], more=weights if args.record == 0 else dict)
