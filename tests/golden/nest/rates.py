"""Writes rates.json beside this file: what NEST's rate units do without noise, for the tests of apical/brain.

Run by hand, in a virtual environment of its own (the one of make.py serves); the tests read the file and need no NEST:
    nest-venv/bin/python tests/golden/nest/rates.py

A run is a few units connected by rate_connection_delayed: {"model", "parameters" (of each unit), "connections": [[from, to, weight, delay_ms]], "times_ms",
"rate": [of each unit, at these times]}.
"""
import json
import pathlib

import nest

DT, TIME, EVERY = 0.1, 80.0, 2.0
CONNECTIONS = [[0, 1, 0.8, 0.1], [1, 0, -0.9, 1.3], [0, 2, 0.5, 2.0], [2, 2, 0.6, 0.7], [1, 2, -0.4, 0.1]]
RUNS = [
    ("lin_rate_ipn", [{"rate": 1.0, "g": 0.7}, {"mu": 0.3, "tau": 7.0}, {"lambda": 0.0, "mu": -0.2, "rectify_output": True, "rectify_rate": 0.05}]),
    ("tanh_rate_ipn", [{"rate": 1.0, "g": 1.6}, {"mu": 0.3, "tau": 7.0, "theta": 0.2}, {"lambda": 0.5, "rate": -0.4, "g": 0.9}]),
]


def run(model, parameters):
    nest.ResetKernel()
    nest.set(resolution=DT, local_num_threads=1)
    units = [nest.Create(model, params={"sigma": 0.0} | p) for p in parameters]
    for a, b, weight, delay in CONNECTIONS:
        nest.Connect(units[a], units[b], syn_spec={"synapse_model": "rate_connection_delayed", "weight": weight, "delay": delay})
    meters = [nest.Create("multimeter", params={"record_from": ["rate"], "interval": EVERY}) for _ in units]
    for meter, unit in zip(meters, units):
        nest.Connect(meter, unit, syn_spec={"delay": DT})
    nest.Simulate(TIME + 1)
    return {"model": model, "parameters": [{k: float(v) for k, v in ({"sigma": 0.0} | p).items()} for p in parameters], "connections": CONNECTIONS,
            "times_ms": [float(t) for t in meters[0].events["times"]], "rate": [m.events["rate"].tolist() for m in meters]}


def main():
    nest.verbosity = nest.VerbosityLevel.ERROR
    out = {"source": "tests/golden/nest/rates.py", "nest": nest.__version__, "dt_ms": DT, "runs": [run(*r) for r in RUNS]}
    (pathlib.Path(__file__).parent / "rates.json").write_text(json.dumps(out, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
