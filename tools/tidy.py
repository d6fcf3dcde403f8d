#!/usr/bin/env python3
"""Runs clang-tidy over the sources of the torch-free layers (or the files named), two at a time."""
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORE = ["base", "format", "io", "kernels", "data", "report"]


def check(path: pathlib.Path, build: str) -> tuple[pathlib.Path, int, str]:
    run = subprocess.run(["clang-tidy", "--quiet", "-p", build, str(path)], capture_output=True, text=True)
    return path, run.returncode, run.stdout


def without_gcc_options(build: str, folder: str) -> str:
    """A copy of the compile commands without what clang does not know."""
    commands = (pathlib.Path(build) / "compile_commands.json").read_text()
    (pathlib.Path(folder) / "compile_commands.json").write_text(commands.replace(" -fno-tree-coalesce-vars", ""))
    return folder


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(without_gcc_options(sys.argv[1], folder), [pathlib.Path(p) for p in sys.argv[2:]])


def run(build: str, named: list[pathlib.Path]) -> None:
    files = named or [p for layer in CORE for p in sorted((ROOT / "src/detent" / layer).rglob("*.cpp"))]
    failed = False
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, code, output in pool.map(lambda p: check(p, build), files):
            if code:
                failed = True
                print(f"{path}\n{output}")
    print(f"{len(files)} files checked")
    sys.exit(failed)


if __name__ == "__main__":
    main()
