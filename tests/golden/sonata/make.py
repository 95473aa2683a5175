"""Writes edges.h5 and edge_types.csv beside this file: SONATA edges as h5py makes them, for apical/brain/edges_test.cpp.

Run by hand; the tests read the files and need no h5py:
    python3 -m venv venv && venv/bin/pip install h5py==3.16.0 && venv/bin/python tests/golden/sonata/make.py

300 edges of the population v1_to_v1: edge i goes from 7 i mod 40 to 11 i mod 30, with type 100 + i mod 3. Those with i mod 4 = 3 are in group 1, which
has no weight and delay but those of the type; the others are in group 0: weight i / 8, delay 1 + (i mod 16) / 4, stored backwards. In chunks, packed.
"""
import pathlib

import h5py
import numpy as np

here = pathlib.Path(__file__).parent
i = np.arange(300)
group = (i % 4 == 3).astype(np.uint8)
index = np.zeros(300, np.uint64)
for g in (0, 1):
    n = (group == g).sum()
    index[group == g] = np.arange(n)[::-1]
with h5py.File(here / "edges.h5", "w") as f:
    f.attrs["magic"] = np.uint32(0x0A7A)
    f.attrs["version"] = np.array([0, 1], np.uint32)
    p = f.create_group("edges/v1_to_v1")
    packed = {"chunks": (128,), "compression": "gzip", "shuffle": True}
    p.create_dataset("source_node_id", data=(7 * i % 40).astype(np.uint64), **packed).attrs["node_population"] = "v1"
    p.create_dataset("target_node_id", data=(11 * i % 30).astype(np.uint64), **packed).attrs["node_population"] = "v1"
    p.create_dataset("edge_type_id", data=(100 + i % 3).astype(np.uint64), **packed)
    p.create_dataset("edge_group_id", data=group)
    p.create_dataset("edge_group_index", data=index)
    inside = i[group == 0][::-1]
    p.create_dataset("0/syn_weight", data=inside / 8)
    p.create_dataset("0/delay", data=(1 + inside % 16 / 4).astype(np.float32), **packed)
    p.create_dataset("1/nsyns", data=np.ones((group == 1).sum(), np.uint32))
(here / "edge_types.csv").write_text('edge_type_id target_query syn_weight delay model_template\n' +
                                     "".join(f"{100 + k} \"pop_name=='e{k}'&ei=='e'\" {k + 0.25} {k + 2} static_synapse\n" for k in range(3)))
