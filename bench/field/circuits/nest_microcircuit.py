"""microcircuit in NEST: Potjans and Diesmann 2014, at --scale of neurons and in-degrees, as in NEST's own example of it."""
import nest
import numpy as np

import models
import nest_kernel
import peer

args = peer.arguments("microcircuit")
m = models.microcircuit(args.scale)
start = nest_kernel.begin(args)
nest.keep_source_table = False  # nothing is connected after Prepare: less memory
for kind in ("excitatory", "inhibitory"):  # NEST takes 2^27 synapses of a model and thread at most
    nest.CopyModel("static_synapse_hpc", kind)
populations = [nest.Create("iaf_psc_exp", int(n), params=m["parameters"] | {"I_e": I}) for n, I in zip(m["N"], m["I_e"])]
for p in populations:
    p.V_m = nest.random.normal(m["V_mean"], m["V_sd"])
for t, target in enumerate(populations):
    noise = nest.Create("poisson_generator", params={"rate": m["external_rate"][t]})
    nest.Connect(noise, target, syn_spec={"weight": m["external"], "delay": 1.5})
    for s, source in enumerate(populations):
        if m["synapses"][t, s] == 0:
            continue
        w, d = m["weights"][t, s], m["delays"][s]
        low, high = (0.0, np.inf) if w > 0 else (-np.inf, 0.0)
        weight = nest.math.redraw(nest.random.normal(w, abs(w) * m["sd"][t, s]), min=low, max=high)
        # From half a step on: a delay is rounded to the grid, and the least is one step.
        delay = nest.math.redraw(nest.random.normal(d, d / 2), min=models.DT - 0.5 * models.DT, max=np.inf)
        nest.Connect(source, target, {"rule": "fixed_total_number", "N": int(m["synapses"][t, s])},
                     {"synapse_model": "excitatory" if w > 0 else "inhibitory", "weight": weight, "delay": delay})
nest_kernel.simulate(args, start, nest_kernel.record(args, dict(zip(models.POPULATIONS, populations))), m["time"], int(m["N"].sum()))
