#!/usr/bin/env python3
"""Runs clang-tidy over the sources of the torch-free layers (or the files named), two at a time."""
import concurrent.futures
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORE = ["base", "format", "io", "kernels", "data", "report"]


def check(path: pathlib.Path, build: str) -> tuple[pathlib.Path, int, str]:
    run = subprocess.run(["clang-tidy", "--quiet", "-p", build, str(path)], capture_output=True, text=True)
    return path, run.returncode, run.stdout


def main() -> None:
    build, named = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
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
