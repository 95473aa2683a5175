"""brunel in Brian2: the network of NEST's brunel_alpha_nest.py with its alpha-shaped currents; PoissonInput draws the external spikes."""
import math

import brian2 as b2
import numpy as np

import brian_device
import models
import peer

args = peer.arguments("brunel")
m = models.brunel()
p = m["parameters"]
rng = np.random.default_rng(args.seed)
start = brian_device.begin(args)
# NEST's alpha function of weight w: I' = x - I / tau_syn, x' = -x / tau_syn, x += w e / tau_syn; as voltages over tau_m.
jump = m["weight"] * p["tau_m"] / p["C_m"] * math.e / p["tau_syn_ex"]
space = {"tau_m": p["tau_m"] * b2.ms, "tau_syn": p["tau_syn_ex"] * b2.ms, "V_th": p["V_th"] * b2.mV, "V_reset": p["V_reset"] * b2.mV,
         "we": jump * b2.mV / b2.ms, "wi": -m["g"] * jump * b2.mV / b2.ms}
P = b2.NeuronGroup(m["NE"] + m["NI"], """dv/dt = (I - v) / tau_m : volt (unless refractory)
                                         dI/dt = x - I / tau_syn : volt
                                         dx/dt = -x / tau_syn : volt / second""",
                   threshold="v >= V_th", reset="v = V_reset", refractory=p["t_ref"] * b2.ms, method="exact", namespace=space)
groups = {"E": P[:m["NE"]], "I": P[m["NE"]:]}
synapses = []
for name, degree, weight in (("E", m["CE"], "we"), ("I", m["CI"], "wi")):
    s = b2.Synapses(groups[name], P, on_pre=f"x += {weight}", namespace=space, delay=m["delay"] * b2.ms)
    brian_device.fixed_indegree(s, len(groups[name]), len(P), degree, rng)
    synapses.append(s)
external = b2.PoissonInput(P, "x", N=m["CE"], rate=m["rate"] / m["CE"] * b2.Hz, weight=space["we"])
monitors = {name: b2.SpikeMonitor(g) for name, g in groups.items()}
network = b2.Network(P, *synapses, external, *monitors.values())
brian_device.simulate(args, start, network, {name: len(g) for name, g in groups.items()}, monitors, synapses, m["time"])
