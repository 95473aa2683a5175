"""Pictures for the model tests/fuzz/corpus/model/small, which takes [2, 9, 7] and shows each for T = 5 steps."""
import struct
import zipfile

SHAPE = (2, 9, 7)


def npy(dtype, shape, content):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + content


def write_npz(path, count=6):
    """Writes a set of `count` pictures; returns the bytes of each."""
    size = SHAPE[0] * SHAPE[1] * SHAPE[2]
    pixels = bytes((i * 37 + i * i * 11) % 256 for i in range(count * size))
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("x.npy", npy("|u1", (count, *SHAPE), pixels))
    return [pixels[i * size:(i + 1) * size] for i in range(count)]


def direct_frames(pixels, T):
    """The encoder "direct" in float32: pixel times 1 / 255 (the product of a byte and a float is exact in a double), at each step."""
    share = struct.unpack("f", struct.pack("f", 1 / 255))[0]
    return struct.pack(f"{len(pixels)}f", *(p * share for p in pixels)) * T
