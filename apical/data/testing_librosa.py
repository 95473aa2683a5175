#!/usr/bin/env python3
"""Writes testing_librosa.inc: the figures of librosa that audio_features_test.cpp holds ours against.

    python3 -m venv v && v/bin/pip install librosa==0.11.0 && v/bin/python apical/data/testing_librosa.py > apical/data/testing_librosa.inc
"""
import librosa
import numpy as np

RATE, WINDOW, HOP, FFT, BANDS, LOW, HIGH, FLOOR = 8000, 200, 80, 256, 23, 100.0, 3800.0, 1e-6


def clip(n=650):
    """The test's clip in 16 bits: a rising tone that fades, over noise that grows."""
    state, out = 1, []
    for i in range(n):
        state = (1103515245 * state + 12345) % 2**31
        t = i / RATE
        tone = 0.6 * np.exp(-20 * t) * np.sin(2 * np.pi * (300 * t + 9000 * t * t))
        out.append(np.floor(32768 * (tone + 0.01 * i / n * (state / 2**30 - 1)) + 0.5))
    return np.array(out) / 32768


def rows(name, values):
    print(f"const std::vector<float> {name} = {{  // {list(values.shape)}")
    for row in values:
        text = [f"{v:.6f}f," for v in row]
        for at in range(0, len(text), 12):
            print("    " + " ".join(text[at : at + 12]))
    print("};")


x = clip()
frames = 1 + -(-(len(x) - WINDOW) // HOP)
# librosa lays a short window into the middle of the transform; ours begins with the frame. The zeros at the end are the same.
lead = (FFT - WINDOW) // 2
padded = np.zeros((frames - 1) * HOP + FFT)
padded[lead : lead + len(x)] = x
mel = librosa.feature.melspectrogram(y=padded, sr=RATE, n_fft=FFT, hop_length=HOP, win_length=WINDOW, window="hann", center=False, power=2.0,
                                     n_mels=BANDS, fmin=LOW, fmax=HIGH, htk=True, norm=None, dtype=np.float64)
log_mel = np.log(mel + FLOOR)
assert log_mel.shape == (BANDS, frames)
resampled = np.stack([np.interp(np.linspace(0, frames - 1, 32), np.arange(frames), band) for band in log_mel])
print(f"// Written by testing_librosa.py with librosa {librosa.__version__}.")
rows("librosa_log_mel", log_mel.T)
rows("librosa_mfcc", librosa.feature.mfcc(S=log_mel, n_mfcc=13, dct_type=2, norm="ortho").T)
rows("resampled_rows", resampled.T[[0, 1, 16, 31]])
