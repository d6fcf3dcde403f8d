"""What the golden-value scripts share: the Golden file writer, the provenance record, small number-format helpers."""
import datetime, hashlib, importlib.metadata, json, pathlib, platform, sys
import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent


class Golden:
    """Named tensors plus the JSON list of cases that is stored under the metadata key "cases"."""

    def __init__(self):
        self.tensors, self.cases = {}, []

    def put(self, name, array):
        assert name not in self.tensors, name
        self.tensors[name] = np.ascontiguousarray(array)

    def case(self, identity, arrays, **fields):
        for key, array in arrays.items():
            self.put(f"{identity}.{key}", array)
        self.cases.append({"id": identity, **fields})

    def save(self, name):
        metadata = {"cases": json.dumps(self.cases, separators=(",", ":"))}
        save_file(self.tensors, HERE / name, metadata=metadata)
        record(name, self)


def record(output, golden=None):
    """Add this run to provenance.json, keyed by the script's name."""
    script = pathlib.Path(sys.argv[0]).resolve()
    path = HERE / "provenance.json"
    book = json.loads(path.read_text()) if path.exists() else {}
    entry = book.setdefault(script.name, {})
    now = hashlib.sha256(script.read_bytes()).hexdigest()
    if entry.get("sha256") != now:
        entry["outputs"] = []
    entry["sha256"] = now
    local = [pathlib.Path(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
    entry["modules"] = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in local if f.parent == HERE and f != script}
    entry["command"] = f"python tests/golden/{script.name}"
    entry["date"] = datetime.date.today().isoformat()
    entry["packages"] = {"python": platform.python_version()}
    for package in ("numpy", "safetensors", "torch", "transformers", "gguf"):
        if package in sys.modules:
            entry["packages"][package] = importlib.metadata.version(package)
    entry["outputs"] = sorted({*entry.get("outputs", []), output})
    path.write_text(json.dumps(book, indent=2, sort_keys=True) + "\n")
    if golden:
        size = (HERE / output).stat().st_size
        print(f"{output}: {len(golden.cases)} cases, {len(golden.tensors)} tensors, {size} bytes")


def to_bf16(x):
    """float32 -> nearest bfloat16 (ties to even), returned as float32. Finite input only."""
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


def hadamard(n):
    """Sylvester order, orthonormal: H[2n] = [[H, H], [H, -H]] / sqrt(2)."""
    h = np.ones((1, 1))
    while h.shape[0] < n:
        h = np.block([[h, h], [h, -h]])
    return h / np.sqrt(n)


def block_of(columns):
    """QuEST's block size: the largest power of two <= 128 that divides the last dimension."""
    return next(b for b in (128, 64, 32, 16, 8, 4, 2, 1) if columns % b == 0)


def rotate(x):
    """x . blockdiag(H) on the last dimension, in float64. H is symmetric and orthogonal, so this is its own inverse."""
    x = np.asarray(x, np.float64)
    b = block_of(x.shape[-1])
    return (x.reshape(*x.shape[:-1], -1, b) @ hadamard(b)).reshape(x.shape)
