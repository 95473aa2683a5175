"""Writes astrocyte.json beside this file: what NEST's astrocyte_lr_1994 and the neuron that its sic_connection drives do, for the tests of apical/brain.

Run by hand, in a virtual environment of its own (the one of make.py serves); the tests read the file and need no NEST:
    nest-venv/bin/python tests/golden/nest/astrocyte.py

A run is one astrocyte: {"parameters" (all), "initial", "spikes": {"times_ms", "weight", "delay_ms"}, "current": {"amplitude" uM/ms, "start_ms", "stop_ms",
"delay_ms"}, "sic": {"weight", "delay_ms"}, "times_ms", "Ca_astro", "IP3", "h_IP3R", "I_SIC" (pA, of an aeif_cond_alpha_astro that it is connected to; at the
same times), "first_sic_ms" (when I_SIC is first not 0), "V_m" (of that neuron, which gets nothing else)}.
"""
import json
import pathlib

import nest
import numpy as np

DT, TIME, EVERY = 0.1, 12000.0, 100.0
RUNS = [
    {"set": {}, "weight": 120.0, "amplitude": 4e-5, "sic": (1.0, 0.1)},
    {"set": {"Ca_tot": 2.2, "IP3_0": 0.2, "Kd_IP3_1": 0.15, "Kd_IP3_2": 0.9, "Kd_act": 0.09, "Kd_inh": 1.1, "Km_SERCA": 0.11, "SIC_scale": 12.0, "SIC_th": 0.15,
             "delta_IP3": 0.001, "k_IP3R": 0.00025, "rate_IP3R": 0.007, "rate_L": 0.00012, "rate_SERCA": 0.001, "ratio_ER_cyt": 0.17, "tau_IP3": 5000.0,
             "Ca_astro": 0.09, "IP3": 0.25, "h_IP3R": 0.7}, "weight": 40.0, "amplitude": -2e-5, "sic": (2.5, 3.7)},
]


def run(number, setting):
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=1)
    astrocyte = nest.Create("astrocyte_lr_1994", params=setting["set"])
    neuron = nest.Create("aeif_cond_alpha_astro")
    status = astrocyte.get()
    spikes = {"times_ms": [float(round(t, 1)) for t in sorted({*np.round(np.random.default_rng(number).uniform(200, 9000, 60), 1)})], "weight": setting["weight"],
              "delay_ms": 1.3}
    current = {"amplitude": setting["amplitude"], "start_ms": 4000.0, "stop_ms": 6000.0, "delay_ms": 1.0}
    sic = {"weight": setting["sic"][0], "delay_ms": setting["sic"][1]}
    generator = nest.Create("spike_generator", params={"spike_times": spikes["times_ms"]})
    nest.Connect(generator, astrocyte, syn_spec={"weight": spikes["weight"], "delay": spikes["delay_ms"]})
    dc = nest.Create("dc_generator", params={"amplitude": current["amplitude"], "start": current["start_ms"], "stop": current["stop_ms"]})
    nest.Connect(dc, astrocyte, syn_spec={"delay": current["delay_ms"]})
    nest.Connect(astrocyte, neuron, syn_spec={"synapse_model": "sic_connection", "weight": sic["weight"], "delay": sic["delay_ms"]})
    meters = [nest.Create("multimeter", params={"record_from": names, "interval": DT}) for names in (["Ca_astro", "IP3", "h_IP3R"], ["I_SIC", "V_m"])]
    nest.Connect(meters[0], astrocyte, syn_spec={"delay": DT})
    nest.Connect(meters[1], neuron, syn_spec={"delay": DT})
    nest.Simulate(TIME + 1)
    events = {**meters[0].events, **{k: v for k, v in meters[1].events.items() if k in ("I_SIC", "V_m")}}
    times = events["times"]
    chosen = [round(k * EVERY / DT) - 1 for k in range(1, round(TIME / EVERY) + 1)]
    assert np.allclose(times[chosen], [EVERY * (k + 1) for k in range(len(chosen))])
    out = {"parameters": {k: status[k] for k in ("Ca_tot", "IP3_0", "Kd_IP3_1", "Kd_IP3_2", "Kd_act", "Kd_inh", "Km_SERCA", "SIC_scale", "SIC_th", "delta_IP3",
                                                 "k_IP3R", "rate_IP3R", "rate_L", "rate_SERCA", "ratio_ER_cyt", "tau_IP3")},
           "initial": {k: status[k] for k in ("Ca_astro", "IP3", "h_IP3R")}, "spikes": spikes, "current": current, "sic": sic,
           "times_ms": [float(round(t, 1)) for t in times[chosen]], "first_sic_ms": float(round(times[np.flatnonzero(events["I_SIC"])[0]], 1))}
    for name in ("Ca_astro", "IP3", "h_IP3R", "I_SIC", "V_m"):
        out[name] = events[name][chosen].tolist()
    print({k: (min(out[k]), max(out[k])) for k in ("Ca_astro", "IP3", "h_IP3R", "I_SIC", "V_m")}, out["first_sic_ms"])
    return out


def main():
    nest.verbosity = nest.VerbosityLevel.ERROR
    out = {"source": "tests/golden/nest/astrocyte.py", "nest": nest.__version__, "dt_ms": DT, "runs": [run(i, r) for i, r in enumerate(RUNS)]}
    (pathlib.Path(__file__).parent / "astrocyte.json").write_text(json.dumps(out, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
