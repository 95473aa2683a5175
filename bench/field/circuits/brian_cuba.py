"""cuba_nest, cuba_brian, coba, hh_coba, hh_brian in Brian2: its examples CUBA.py and COBAHH.py, with the parameters of the workload.

Without a delay in Brian2, a spike acts one step earlier than NEST's least delay of one step; cuba_brian and hh_brian have none, as its examples.
"""
import brian2 as b2
import numpy as np

import brian_device
import models
import peer

EQUATIONS = {
    "iaf_psc_exp": """dv/dt = (ge + gi - (v - E_L)) / tau_m : volt (unless refractory)
                      dge/dt = -ge / tau_ex : volt
                      dgi/dt = -gi / tau_in : volt""",
    "iaf_cond_exp": """dv/dt = (g_L * (E_L - v) + ge * (E_ex - v) + gi * (E_in - v)) / C : volt (unless refractory)
                       dge/dt = -ge / tau_ex : siemens
                       dgi/dt = -gi / tau_in : siemens""",
    "hh_cond_exp_traub": """dv/dt = (g_L * (E_L - v) + ge * (E_ex - v) + gi * (E_in - v) - g_Na * (m*m*m) * h * (v - E_Na) - g_K * (n*n*n*n) * (v - E_K)) / C : volt
                            dm/dt = alpha_m * (1 - m) - beta_m * m : 1
                            dn/dt = alpha_n * (1 - n) - beta_n * n : 1
                            dh/dt = alpha_h * (1 - h) - beta_h * h : 1
                            dge/dt = -ge / tau_ex : siemens
                            dgi/dt = -gi / tau_in : siemens
                            alpha_m = 0.32/mV * (13*mV - v + V_T) / (exp((13*mV - v + V_T) / (4*mV)) - 1) / ms : Hz
                            beta_m = 0.28/mV * (v - V_T - 40*mV) / (exp((v - V_T - 40*mV) / (5*mV)) - 1) / ms : Hz
                            alpha_h = 0.128 * exp((17*mV - v + V_T) / (18*mV)) / ms : Hz
                            beta_h = 4 / (1 + exp((40*mV - v + V_T) / (5*mV))) / ms : Hz
                            alpha_n = 0.032/mV * (15*mV - v + V_T) / (exp((15*mV - v + V_T) / (5*mV)) - 1) / ms : Hz
                            beta_n = 0.5 * exp((10*mV - v + V_T) / (40*mV)) / ms : Hz"""}
METHOD = {"iaf_psc_exp": "exact", "iaf_cond_exp": "exponential_euler", "hh_cond_exp_traub": "exponential_euler"}

args = peer.arguments(*models.VOGELS_ABBOTT)
m = models.VOGELS_ABBOTT[args.workload]
p, model = m["parameters"], m["model"]
rng = np.random.default_rng(args.seed)
start = brian_device.begin(args)
space = {"E_L": p["E_L"] * b2.mV, "tau_ex": p["tau_syn_ex"] * b2.ms, "tau_in": p["tau_syn_in"] * b2.ms, "C": p["C_m"] * b2.pF}
if model == "iaf_psc_exp":
    space |= {"tau_m": p["tau_m"] * b2.ms}
    # NEST's currents [pA] as voltages: I tau_m / C
    unit = p["tau_m"] / p["C_m"] * b2.mV
else:
    space |= {"g_L": p["g_L"] * b2.nS, "E_ex": p["E_ex"] * b2.mV, "E_in": p["E_in"] * b2.mV}
    unit = b2.nS
space |= {"we": m["weights"][0] * unit, "wi": (m["weights"][1] if model == "iaf_psc_exp" else -m["weights"][1]) * unit}
if model == "hh_cond_exp_traub":
    # NEST fires at the maximum above V_T + 30 mV, Brian2's example at -20 mV, and both wait: 2 ms there, 3 ms here.
    space |= {"g_Na": p["g_Na"] * b2.nS, "g_K": p["g_K"] * b2.nS, "E_Na": p["E_Na"] * b2.mV, "E_K": p["E_K"] * b2.mV, "V_T": -63 * b2.mV}
    P = b2.NeuronGroup(models.NE + models.NI, EQUATIONS[model], threshold="v > -20*mV", refractory=3 * b2.ms, method=METHOD[model], namespace=space)
    if args.workload == "hh_brian":
        P.v, P.ge, P.gi = "E_L + (randn() * 5 - 5) * mV", "(randn() * 1.5 + 4) * 10 * nS", "(randn() * 12 + 20) * 10 * nS"
    else:  # NEST starts its gates at the equilibrium of V_m = E_L as if V_T were 0.
        P.v, P.m, P.n, P.h = p["E_L"] * b2.mV, 9.895563096746586e-09, 2.551577051602551e-07, 0.999999999106396
else:
    space |= {"V_th": p["V_th"] * b2.mV, "V_reset": p["V_reset"] * b2.mV}
    P = b2.NeuronGroup(models.NE + models.NI, EQUATIONS[model], threshold="v > V_th", reset="v = V_reset", refractory=p["t_ref"] * b2.ms, method=METHOD[model],
                       namespace=space)
    P.v = "V_reset + rand() * (V_th - V_reset)" if args.workload == "cuba_brian" else p.get("V_m", p["E_L"]) * b2.mV
groups = {"E": P[:models.NE], "I": P[models.NE:]}
synapses = []
for name, degree, on_pre in (("E", models.CE, "ge += we"), ("I", models.CI, "gi += wi")):
    s = b2.Synapses(groups[name], P, on_pre=on_pre, namespace=space, delay=None if args.workload.endswith("_brian") else models.DELAY * b2.ms)
    if m["rule"] == "fixed_indegree":
        brian_device.fixed_indegree(s, len(groups[name]), len(P), degree, rng)
    else:
        s.connect(p=0.02)
    synapses.append(s)
objects = [P, *synapses]
if m["kick"]:
    objects += brian_device.kick(P, "ge += we", rng, space)
monitors = {name: b2.SpikeMonitor(g) for name, g in groups.items()}
network = b2.Network(*objects, *monitors.values())
brian_device.simulate(args, start, network, {name: len(g) for name, g in groups.items()}, monitors, synapses, m["time"])
