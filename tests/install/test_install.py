"""cmake --install into a fresh prefix, and programs outside the tree that find_package(Apical) there.

    test_install.py CMAKE BUILD_FOLDER runtime|train
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def run(*args, ok=True, **options):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if ok and p.returncode != 0:
        sys.exit(f"$ {' '.join(map(str, args))}\n{p.stdout}exit code {p.returncode}")
    return p.stdout if ok else (p.returncode, p.stdout)


def expect(condition, what):
    if not condition:
        sys.exit(what)


def outside(cmake, folder, prefix, component):
    """Builds and runs the program of a component; returns what it is linked with."""
    source = folder / "source"  # a copy, so that nothing of the project's folder can be found by accident
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    run(cmake, "-S", source, "-B", folder / "build", "-G", "Ninja", f"-DWITH={component}", f"-DCMAKE_PREFIX_PATH={prefix}")
    run(cmake, "--build", folder / "build")
    print(run(folder / "build/outside").strip())
    return run("ldd", folder / "build/outside")


def main():
    cmake, build, component = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="apical-install-") as name:
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        run(cmake, "--install", build, "--prefix", prefix)
        libraries = outside(cmake, folder / component, prefix, component)
        expect(("libtorch" in libraries) == (component == "train"), f"the {component} program links:\n{libraries}")

        installed = [p.relative_to(prefix).as_posix() for p in prefix.rglob("*") if p.is_file()]
        strays = [p for p in installed if p.endswith((".cpp", ".o")) or "_test" in p or "testing" in p or "_fuzz" in p]
        expect(not strays, f"does not belong into an installation: {strays}")
        expect("include/apical/base/error.h" in installed and "share/doc/Apical/LICENSE" in installed, f"something is missing in {installed}")

        apical = prefix / "bin/apical"
        expect(run(apical, "--version").startswith("apical "), "the installed apical does not start")
        for file in ("share/bash-completion/completions/apical", "share/zsh/site-functions/_apical"):
            expect("doctor" in (prefix / file).read_text(), f"{file} knows no verbs")
        code, text = run(apical, "run", "--help", ok=False)
        expect(code == 0 and "--scale" in text, f"apical run --help: {code}\n{text}")  # of apical-train in ../libexec/apical, where there is one
        if not (prefix / "libexec/apical/apical-train").exists():
            code, text = run(apical, "run", "digits", ok=False)
            expect(code == 2 and "without training" in text, f"apical run digits: {code}\n{text}")
            (folder / "want").mkdir()
            (folder / "want/CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.25)\nproject(W CXX)\nfind_package(Apical REQUIRED COMPONENTS train)\n")
            code, text = run(cmake, "-S", folder / "want", "-B", folder / "want/b", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", ok=False)
            expect(code != 0 and "built without 'train'" in " ".join(text.split()), text)


if __name__ == "__main__":
    main()
