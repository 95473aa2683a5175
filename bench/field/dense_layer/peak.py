"""A peer's run for field.peak_bytes. peak.py FOLDER PEER THREADS; x.npy, w.npy and, for a backward pass, grad.npy in the folder."""
import pathlib
import sys

import numpy as np

import field
import neurons
from run import BATCH, T

folder = pathlib.Path(sys.argv[1])
field.set_threads(int(sys.argv[3]))
x, w = np.load(folder / "x.npy"), np.load(folder / "w.npy")
grad = np.load(folder / "grad.npy") if (folder / "grad.npy").exists() else None
n = len(w)
run = neurons.peers()[sys.argv[2]][0](x.reshape(T, BATCH, n), None if grad is None else grad.reshape(T, BATCH, n), w)
field.at_work(run)
