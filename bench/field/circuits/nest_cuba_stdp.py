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
nest_kernel.simulate(args, start, nest_kernel.record(args, {"E": E, "I": I}), m["time"], m["NE"] + m["NI"])
