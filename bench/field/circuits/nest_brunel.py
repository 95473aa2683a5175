"""brunel in NEST, as in its example brunel_alpha_nest.py."""
import nest

import models
import nest_kernel
import peer

args = peer.arguments("brunel")
m = models.brunel()
start = nest_kernel.begin(args)
E, I = (nest.Create("iaf_psc_alpha", n, params=m["parameters"]) for n in (m["NE"], m["NI"]))
noise = nest.Create("poisson_generator", params={"rate": m["rate"]})
nest.Connect(noise, E + I, syn_spec={"weight": m["weight"], "delay": m["delay"]})
for source, degree, weight, name in ((E, m["CE"], m["weight"], "excitatory"), (I, m["CI"], -m["g"] * m["weight"], "inhibitory")):
    nest.CopyModel("static_synapse_hom_w", name, {"weight": weight, "delay": m["delay"]})  # one weight for all: leaner than the example's, and faster
    nest.Connect(source, E + I, {"rule": "fixed_indegree", "indegree": degree}, name)
nest_kernel.simulate(args, start, nest_kernel.record(args, {"E": E, "I": I}), m["time"], m["NE"] + m["NI"])
