#!/usr/bin/env python3
"""What is left of quantization-aware training after export: the table of docs/export.md. Everything goes to ./export_study; runs that are there
are not repeated. Needs llama-cpp-python (`./run test --interop llama_cpp_files` installs it):

    .interop/bin/python examples/export_study/study.py build/release/detent

A small Llama learns the bytes of Python's standard library, then goes on at 4, 3 and 2 bits and ternary. The runs of `quant.target` are exported
by detent. Runs on the grid that is usual for the bits take the usual route: weights written in bfloat16, as they are multiplied in training or as
they are optimized, put into a GGUF file and quantized by llama.cpp's own code. Each file is then evaluated by detent, its weights decoded.
"""
import ctypes
import json
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import llama_cpp

HERE, ROOT = pathlib.Path(__file__).resolve().parent, pathlib.Path("export_study")
FINETUNE = {"train.steps": 150, "optimizer.learning_rate": 5e-4, "model": "{from: export_study/runs/float}"}
USUAL = "{{grid: int, bits: 4, scale: {}, group: 32, surrogate: ste}}"
LEARNED = "{scale: learned, surrogate: lsq}"
# what: GGUF type, llama.cpp's number for such files, weights of quant.target, weights that are usual. These get the method and group size of the
# target's, scales in float32, and no knowledge of the file.
ROWS = {
    "4 bits": ("q4_0", 2, "{}", USUAL.format("absmax_full")),
    "4 bits, ggml's signed scales": ("q4_0", 2, "{}", USUAL.format("absmax_signed")),
    "3 bits": ("q3_k", 11, LEARNED, "{grid: int, bits: 3, scale: learned, group: 16, surrogate: lsq}"),
    "2 bits": ("q2_k", 10, LEARNED, "{grid: midrise, bits: 2, scale: learned, group: 16, surrogate: lsq}"),
    "ternary": ("tq2_0", 37, "{}", "{grid: ternary, scale: mean, group: tensor, surrogate: ste}"),
}
GGML_F16 = 1


def detent(*arguments, exits=(0,)):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in exits:
        raise SystemExit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def take_text():
    """Every twelfth file is for validation."""
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = sorted(f for f in library.rglob("*.py") if not {"test", "tests", "site-packages", "dist-packages"} & set(f.relative_to(library).parts))
    for part in ("train", "valid"):
        (ROOT / "text" / part).mkdir(parents=True)
    for i, file in enumerate(files):
        part = "valid" if i % 12 == 0 else "train"
        shutil.copy(file, ROOT / "text" / part / str(file.relative_to(library)).replace("/", "__"))
    whole = b"".join(f.read_bytes() for f in sorted((ROOT / "text" / "valid").iterdir()))
    (ROOT / "valid.txt").write_bytes(whole[:40_000])


def train(name, settings):
    run = ROOT / "runs" / name
    if not (run / "done").exists():
        shutil.rmtree(run, ignore_errors=True)
        print(f"training {name}", file=sys.stderr, flush=True)
        options = [f"{key}={value}" for key, value in ({"output": run} | settings).items()]
        detent("train", HERE / "base.yaml", *[part for option in options for part in ("--set", option)])
        (run / "done").touch()
    return run


def loss(model):
    return json.loads(detent("eval", model, "--data", ROOT / "valid.txt", "--context", 128, "--json"))["loss"]


def changed(file, run):
    """Percent of the quantized weights that are not those of training, bit for bit."""
    rows = json.loads(detent("verify", file, "--against", run, "--json", exits=(0, 1)))["tensors"]
    rows = [(r["differing"], count(run, r["name"])) for r in rows if r["name"].endswith("_proj.weight")]
    return 100 * sum(differing for differing, _ in rows) / sum(size for _, size in rows)


def count(run, name):
    with open(latent(run) / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    begin, end = header[name]["data_offsets"]
    return (end - begin) // 4  # float32


def fresh(path):
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path


def in_bfloat16(folder, out):
    """The folder's model as most programs save it."""
    import torch
    from safetensors.torch import load_file, save_file
    shutil.copytree(folder, out, ignore=lambda _, names: [n for n in names if n.startswith(("quantization", "state"))])
    weights = {name: value.to(torch.bfloat16) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return out


def convert_and_quantize(folder, name, file_type):
    """A folder of plain weights -> bfloat16 -> GGUF -> llama.cpp's quantizer, table and head in f16."""
    plain = in_bfloat16(folder, fresh(ROOT / "files" / f"{name}-bf16"))
    dense, out = fresh(ROOT / "files" / f"{name}-f32.gguf"), fresh(ROOT / "files" / f"{name}.gguf")
    detent("export", plain, "--to", "gguf:f32", "--out", dense)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.pure = file_type, True
    params.token_embedding_type = params.output_tensor_type = GGML_F16
    if llama_cpp.llama_model_quantize(str(dense).encode(), str(out).encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"llama.cpp did not quantize {dense}")
    return out


def latent(run):
    """The weights that the optimizer moves, which checkpoints hold."""
    return run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip()


def row(what, kind, file_type, own, usual):
    name = f"{kind}-usual-{list(ROWS).index(what)}"
    trained = train(f"{kind}-target", FINETUNE | {"quant": f"{{target: 'gguf:{kind}', weights: {own}}}"})
    other = train(name, FINETUNE | {"quant": f"{{weights: {usual}}}"})
    exported, dense = fresh(ROOT / "files" / f"{kind}-detent.gguf"), fresh(ROOT / "files" / f"{name}-dense")
    detent("export", trained, "--out", exported)
    detent("verify", exported, "--against", trained)
    detent("export", other, "--to", "safetensors:dequantized", "--out", dense)
    files = [convert_and_quantize(dense, name, file_type), convert_and_quantize(latent(other), f"{name}-optimized", file_type)]
    cells = [f"{loss(trained):.4f}", f"{loss(exported):.4f}, {changed(exported, trained):.0f} %", f"{loss(other):.4f}"]
    cells += [f"{loss(file):.4f}, {changed(file, other):.0f} %" for file in files]
    return f"| {what}, `{kind}` | " + " | ".join(cells) + " |"


def main():
    if not (ROOT / "valid.txt").exists():
        shutil.rmtree(ROOT, ignore_errors=True)
        take_text()
    (ROOT / "files").mkdir(exist_ok=True)
    start = train("float", {})
    lines = [f"Full precision before: {loss(start):.4f}.", "",
             "| | trained on the target's grid | its file, weights changed | trained on the usual grid | its multiplied weights, "
             "quantized by llama.cpp | its optimized weights, quantized by llama.cpp |",
             "|---|---|---|---|---|---|"]
    for name, (kind, file_type, own, usual) in ROWS.items():
        lines.append(row(name, kind, file_type, own, usual))
        print(lines[-1], file=sys.stderr, flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
