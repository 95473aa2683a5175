"""The circuits that are timed, as the field defines them; the peers' scripts and Apical's `circuits` build these.

cuba_nest, coba, hh_coba, cuba_stdp: NEST's examples brette_et_al_2007 (Brette et al. 2007, benchmarks 2, 1, 3, 5). cuba_brian: Brian2's example
CUBA.py (its inhibition is 1.55 times weaker than NEST's; no kick, random first voltages), hh_brian its COBAHH.py (exponential Euler). brunel: NEST's
example brunel_alpha_nest.py. microcircuit: Potjans and Diesmann 2014. Times in ms, voltages in mV, currents in pA, conductances in nS, capacities in pF.
"""
import math

import numpy as np
from scipy.special import lambertw

DT = 0.1

# Random networks of 3200 excitatory and 800 inhibitory neurons. "fixed_indegree": 64 and 16 sources a neuron, chosen with replacement and with
# itself; "pairwise": each pair with probability 0.02. "kick": 300 Poisson spikes a second, from 1 to 51 ms, onto each of the first 50.
VOGELS_ABBOTT = {
    "cuba_nest": {"model": "iaf_psc_exp", "rule": "fixed_indegree", "kick": True, "time": 10000.0, "weights": (16.2, -139.5),
                  "parameters": {"E_L": -49.0, "V_m": -49.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0,
                                 "t_ref": 5.0}},
    "cuba_brian": {"model": "iaf_psc_exp", "rule": "pairwise", "kick": False, "time": 1000.0, "weights": (16.2, -90.0),
                   "parameters": {"E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "t_ref": 5.0}},
    "coba": {"model": "iaf_cond_exp", "rule": "fixed_indegree", "kick": True, "time": 1000.0, "weights": (6.0, -67.0),
             "parameters": {"E_L": -60.0, "V_m": -60.0, "V_th": -50.0, "V_reset": -60.0, "C_m": 200.0, "g_L": 10.0, "E_ex": 0.0, "E_in": -80.0, "tau_syn_ex": 5.0,
                            "tau_syn_in": 10.0, "t_ref": 5.0}},
    "hh_coba": {"model": "hh_cond_exp_traub", "rule": "fixed_indegree", "kick": True, "time": 1000.0, "weights": (6.0, -67.0),
                "parameters": {"g_Na": 20000.0, "g_K": 6000.0, "g_L": 10.0, "C_m": 200.0, "E_Na": 50.0, "E_K": -90.0, "E_L": -60.0, "E_ex": 0.0, "E_in": -80.0,
                               "tau_syn_ex": 5.0, "tau_syn_in": 10.0}},
}
VOGELS_ABBOTT["hh_brian"] = VOGELS_ABBOTT["hh_coba"] | {"rule": "pairwise", "kick": False}
NE, NI, CE, CI, KICKED, DELAY = 3200, 800, 64, 16, 50, 0.1
KICK_RATE, KICK_BEGIN, KICK_END = 300.0, 1.0, 51.0

STDP = {"NE": 9000, "NI": 2250, "CE": 900, "CI": 225, "weight": 35.0, "g": 5.0, "sd": 3.0, "delay": 1.5, "rate": 4050.0, "time": 2000.0,
        "parameters": {"E_L": 0.0, "V_th": 20.0, "V_reset": 0.0, "C_m": 250.0, "tau_m": 20.0}, "V_mean": 7.0, "V_sd": 5.0,
        "stdp": {"alpha": 1.05, "Wmax": 70.0}}


def brunel(order=2500):
    """Sizes, weights [pA] and the rate [1/s] of the Poisson input of each neuron; the mean in-degree is a tenth of each population."""
    NE, NI, CE = 4 * order, order, order * 4 // 10
    tau_m, tau_syn, C, theta, J, g, eta = 20.0, 0.5, 250.0, 20.0, 0.1, 5.0, 2.0
    # The largest potential [mV] that a current of 1 pA, alpha shaped, causes: at the zero of its derivative.
    b = 1 / tau_syn - 1 / tau_m
    t = (-lambertw(-math.exp(-tau_syn / tau_m) * tau_syn / tau_m, -1).real - tau_syn / tau_m) / b
    unit = math.e / (tau_syn * C * b) * ((math.exp(-t / tau_m) - math.exp(-t / tau_syn)) / b - t * math.exp(-t / tau_syn))
    weight = J / unit
    rate = 1000 * eta * theta * C / (weight * math.e * tau_m * tau_syn)  # all CE external sources together
    parameters = {"C_m": C, "tau_m": tau_m, "tau_syn_ex": tau_syn, "tau_syn_in": tau_syn, "t_ref": 2.0, "E_L": 0.0, "V_reset": 0.0, "V_m": 0.0, "V_th": theta}
    return {"NE": NE, "NI": NI, "CE": CE, "CI": order // 10, "weight": weight, "g": g, "rate": rate, "delay": 1.5, "time": 1000.0, "parameters": parameters}


POPULATIONS = ["23E", "23I", "4E", "4I", "5E", "5I", "6E", "6I"]
PROBABILITIES = np.array([  # [target, source]
    [.1009, .1689, .0437, .0818, .0323, 0, .0076, 0], [.1346, .1371, .0316, .0515, .0755, 0, .0042, 0], [.0077, .0059, .0497, .135, .0067, .0003, .0453, 0],
    [.0691, .0029, .0794, .1597, .0033, 0, .1057, 0], [.1004, .0622, .0505, .0057, .0831, .3726, .0204, 0], [.0548, .0269, .0257, .0022, .06, .3158, .0086, 0],
    [.0156, .0066, .0211, .0166, .0572, .0197, .0396, .2252], [.0364, .001, .0034, .0005, .0277, .008, .0658, .1443]])


def microcircuit(scale=1.0):
    """Neurons and in-degrees times `scale`; below 1, weights over sqrt(scale) and a current I_e [pA] keep the mean and the variance of the input."""
    full = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
    rates = np.array([.971, 2.868, 4.746, 5.396, 8.142, 9.078, .991, 7.523])
    external = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
    pairs = np.outer(full, full).astype(float)
    synapses = np.log1p(-PROBABILITIES) / np.log1p(-1 / pairs)
    weights = np.tile([87.8, -4 * 87.8], (8, 4))
    weights[0, 2] *= 2
    sd = np.full((8, 8), 0.1)
    sd[0, 2] = 0.05
    tau_syn, bg = 0.5, 8.0
    mean_input = (weights * synapses / full[:, None] * rates).sum(1) + 87.8 * external * bg
    I_e = 0.001 * tau_syn * (1 - math.sqrt(scale)) * mean_input
    parameters = {"C_m": 250.0, "tau_m": 10.0, "tau_syn_ex": tau_syn, "tau_syn_in": tau_syn, "V_th": -50.0, "V_reset": -65.0, "E_L": -65.0, "t_ref": 2.0}
    return {"N": np.rint(full * scale).astype(int), "synapses": np.rint(synapses * scale * scale).astype(int), "weights": weights / math.sqrt(scale), "sd": sd,
            "external": 87.8 / math.sqrt(scale), "external_rate": bg * np.rint(external * scale), "I_e": I_e, "delays": np.tile([1.5, 0.75], 4), "time": 1000.0,
            "V_mean": -58.0, "V_sd": 5.0, "parameters": parameters}
