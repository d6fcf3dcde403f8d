#!/usr/bin/env python3
"""Fails when a source file includes a layer that its own layer does not depend on (CMakeLists.txt names the order)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def declared_layers() -> dict[str, set[str]]:
    text = (ROOT / "CMakeLists.txt").read_text()
    layers = {}
    for call in re.findall(r"detent_layer\(([^)]*)\)", text):
        words = call.split()
        depends = words[words.index("DEPENDS") + 1:] if "DEPENDS" in words else []
        if "LINK" in depends:
            depends = depends[:depends.index("LINK")]
        unknown = set(depends) - set(layers)
        if unknown:
            sys.exit(f"CMakeLists.txt: layer {words[0]} depends on {sorted(unknown)}, declared later or never")
        layers[words[0]] = set(depends)
    return layers


def main() -> None:
    layers = declared_layers()
    faults = []
    for path in sorted((ROOT / "src/detent").rglob("*")):
        if path.suffix not in {".h", ".cpp", ".cu"}:
            continue
        layer = path.relative_to(ROOT / "src/detent").parts[0]
        if layer not in layers:
            faults.append(f"{path.relative_to(ROOT)}: folder {layer} is no layer of CMakeLists.txt")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'#include "detent/(\w+)/', line)
            if match and match[1] != layer and match[1] not in layers[layer]:
                faults.append(f"{path.relative_to(ROOT)}:{number}: {layer} may not include {match[1]}")
    print("\n".join(faults) if faults else f"{len(layers)} layers, every include points down")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
