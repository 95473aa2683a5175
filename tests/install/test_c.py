"""cmake --install into a fresh prefix, and the C example built there with gcc's strictest C99: through find_package, and through
pkg-config. Its predictions are those of apical infer, of a model in float32 and of one in integers.

    test_c.py CMAKE BUILD_FOLDER
"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from test_install import expect, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli"))
from samples import direct_frames, write_npz  # noqa: E402

STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]


def main():
    cmake, build = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="apical-install-") as name:
        folder = pathlib.Path(name)
        prefix, source = folder / "prefix", folder / "source"
        run(cmake, "--install", build, "--prefix", prefix)
        shutil.copytree(ROOT / "examples/c", source)
        run(cmake, "-S", source, "-B", folder / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_FLAGS={' '.join(STRICT)}")
        run(cmake, "--build", folder / "build")

        pc = next(prefix.rglob("apical-runtime.pc"))
        flags = run("pkg-config", "--cflags", "--libs", "apical-runtime", env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).split()
        run("gcc", *STRICT, source / "classify.c", "-o", folder / "classify", *flags)

        pixels = write_npz(folder / "set.npz")
        (folder / "frames").write_bytes(b"".join(direct_frames(p, 5) for p in pixels))
        library = next(prefix.rglob("libapical_runtime.so"))
        programs = ((folder / "build/classify", {}), (folder / "classify", {"LD_LIBRARY_PATH": str(library.parent)}))
        for model in (ROOT / "tests/fuzz/corpus/model" / kind for kind in ("small", "int8")):
            infer = json.loads(subprocess.check_output([prefix / "bin/apical", "infer", model, folder / "set.npz", "--json"]))  # its progress apart
            wanted = [(p["class"], struct.pack("f", p["score"])) for p in infer["predictions"]]
            for program, environment in programs:
                lines = run(program, model, folder / "frames", env={**os.environ, **environment}).splitlines()
                said = [(c, struct.pack("f", float(s))) for c, s in map(str.split, lines)]
                expect(said == wanted and len(said) == len(pixels), f"{program} says {said}, apical infer {wanted}")
        for program, environment in programs:
            code, text = run(program, folder / "set.npz", folder / "frames", ok=False, env={**os.environ, **environment})
            expect(code == 3 and "set.npz" in text, f"a file that is no model: {code}\n{text}")

        seen = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
        declared = (prefix / "include/apical/runtime/c_api.h").read_text()
        strangers = [s for s in seen if not s.startswith("apical_") or s + "(" not in declared]
        expect(seen and not strangers, f"the library shows {strangers}")


if __name__ == "__main__":
    main()
