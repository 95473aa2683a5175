"""Long recordings for the workloads: the real ones of $APICAL_DATA/events, again and again with shifted times."""
import os
import pathlib

import numpy as np


def data():
    folder = pathlib.Path(os.environ.get("APICAL_DATA", "")) / "events"
    if not (folder / "evt2_gen3.raw").exists():
        raise SystemExit("error: set APICAL_DATA to the folder that holds events/evt2_gen3.raw, evt3_gen4.raw and davis.aedat4")
    return folder


def words(path, dtype):
    """Header and words of an EVT file."""
    raw, at = path.read_bytes(), 0
    while raw[at:at + 2] == b"% ":
        at = raw.index(b"\n", at) + 1
    return raw[:at], np.frombuffer(raw[at:], dtype)


def tile(path, head, body, shift, n, each):
    """Writes head and as many bodies as n events need, each shifted in time once more; the number of them."""
    with open(path, "wb") as f:
        f.write(head)
        for k in range(-(-n // each)):
            f.write(shift(body, k).tobytes())
    return -(-n // each)


def evt2_and_dat(folder, n):
    head, w = words(data() / "evt2_gen3.raw", "<u4")
    kind, high = w >> 28, w & 0xFFFFFFF
    is_high, is_cd = kind == 8, kind < 2
    span = int(high[is_high].max() - high[is_high].min()) + 1

    def later(w, k):
        out = w.copy()
        out[is_high] += k * span
        return out
    tile(folder / "evt2.raw", head, w, later, n, int(is_cd.sum()))
    last = np.maximum.accumulate(np.where(is_high, np.arange(len(w)), 0))  # the recording begins with a TIME_HIGH
    dat = np.empty((int(is_cd.sum()), 2), "<u4")
    dat[:, 0] = (high[last][is_cd] << 6) + (w[is_cd] >> 22 & 63)
    dat[:, 1] = (w[is_cd] >> 11 & 0x7FF) | (w[is_cd] & 0x7FF) << 14 | (w[is_cd] >> 28) << 28
    tile(folder / "dat.dat", b"% Data file containing CD events.\n% Version 2\n% Width 640\n% Height 480\n\x0c\x08", dat,
         lambda d, k: d + np.array([k * span * 64, 0], "<u4"), n, len(dat))


def evt3(folder, n):
    """Two files; the times that the format gives them."""
    head, w = words(data() / "evt3_gen4.raw", "<u2")
    values = w[w >> 12 == 8] & 0xFFF
    first, span = int(values.min()), int(values.max() - values.min()) + 1
    single, times, base, high, low = [], [], 0, 0, 0
    for word in w.tolist():
        kind, value, xs = word >> 12, word & 0xFFF, []
        if kind == 3:
            base = value
        elif kind in (4, 5):
            length = 12 if kind == 4 else 8
            xs = [base + b for b in range(length) if value >> b & 1]
            base += length
        else:
            single.append(word)
            if kind == 8:
                low, high = (low if value == high else 0), value
            elif kind == 6:
                low = value
            elif kind == 2:
                times.append((high - first) * 4096 + low)
        single += [0x2000 | x for x in xs]
        times += [(high - first) * 4096 + low] * len(xs)

    def later(w, k):
        return np.where(w >> 12 == 8, 0x8000 | (w.astype(np.int64) - first + k * span & 0xFFF), w).astype("<u2")
    for name, body in (("evt3.raw", w), ("evt3_single.raw", np.array(single, "<u2"))):
        tiles = tile(folder / name, head, body, later, n, len(times))
    assert tiles * span < 4096, "the clock of EVT 3 must not start again: expelliarmus does not follow it"
    return np.array(times), span * 4096


def nmnist(folder, n):
    """The addresses of a real sample, again and again, at times that ascend to the last that the format has: 23 bits."""
    sample = np.frombuffer((data() / "nmnist_sample.bin").read_bytes(), "u1").reshape(-1, 5)
    out = np.resize(sample[sample[:, 1] != 240], (n, 5))
    t = np.arange(n, dtype=np.int64) * (1 << 23) // n
    out[:, 2] = (out[:, 2] & 0x80) | (t >> 16)
    out[:, 3] = t >> 8 & 0xFF
    out[:, 4] = t & 0xFF
    (folder / "nmnist.bin").write_bytes(out.tobytes())
