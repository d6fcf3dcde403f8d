"""The tables of docs/speed.md from bench/records/*.json, between the markers of that file.

    python3 bench/tables.py [--check]

--check changes nothing and exits 1, naming them, where tables and records differ.
"""
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "speed.md"
AIMS = {"QuEST half, forward and backward": "3", "QuEST rotated back, forward and backward": "4", "int4 group 32, forward": "1.1",
        "LSQ int4 row, forward and backward": "3"}
STEP_AIMS = {"small": "1.05 and 900 MB", "tiny": "1.08"}
PEERS = ("eager", "torch.compile")


def spell(value, digits=2):
    """A median and what it lies between."""
    if value is None:
        return ""
    return f"{value['median']:.{digits}f} ({value['low']:.{digits}f}–{value['high']:.{digits}f})"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def failures(part):
    lines = [f"{name}: {what}" for name, what in part.get("failed", {}).items()]
    return "\nNot measured: " + "; ".join(lines) + "\n" if lines else ""


def machine(record):
    m = record["machine"]
    text = (f"{m['cpu']}, {m['cores']} cores, {m['memory_gb']} GB, integer products by {m['integer_products']}. Measured limits of {m['threads']} thread(s): "
            f"{m['float_peak'] / 1e9:.0f} GFLOP/s of float32, {m['integer_peak'] / 1e9:.0f} Gop/s of 8-bit products, {m['bandwidth'] / 1e9:.1f} GB/s.\n\n")
    rows = [[name, f"`{of['command']}`", of["date"], f"detent {of['versions']['detent']}, PyTorch {of['versions']['torch']}"] for name, of in record["measured"].items()]
    return text + table(["measured", "by", "on", "with"], rows)


def kernels(record):
    part = record["kernels"]
    rows = [[name, spell(row["copies"]["detent"]), *(spell(row["copies"].get(peer), 1) for peer in PEERS),
             *(spell(row["over_detent"].get(peer), 1) for peer in PEERS), AIMS.get(name, "")] for name, row in part["rows"].items()]
    over = part["rows"]["AdamW, CAGE towards QuEST rows"]["over_fused_adamw"]
    rows.append(["the same over PyTorch's fused AdamW", spell(over["detent"]), *(spell(over.get(peer), 1) for peer in PEERS), "", "", "1.6"])
    text = f"{part['size']} × {part['size']}, {part['threads']} thread, {part['turns']} turns.\n\n"
    return text + table(["copies", "detent", *PEERS, *(f"{peer} / detent" for peer in PEERS), "aim"], rows) + failures(part)


def steps(record):
    text = ""
    for shape, part in record["steps"].items():
        rows = [[name, f"{row['ms']['median']:.0f}", spell(row["over_eager"]), f"{row['peak_mb']:.0f}",
                 spell(row.get("over_one_thread")), STEP_AIMS[shape] if name == "detent, W4A4" else ""]
                for name, row in part["rows"].items()]
        text += f"{shape.capitalize()}, {part['threads']} thread(s), {part['turns']} turns.\n\n"
        text += table(["", "ms", "× eager, unquantized", "peak MB", "times as fast as on one thread", "aim"], rows) + failures(part) + "\n"
    return text


def parts(record):
    names = ("forward", "output", "backward", "norm", "optimizer")
    rows, memory = [], []
    for shape, part in record["steps"].items():
        for what in ("unquantized", "W4A4"):
            alone = part["rows"][f"detent, {what}"]["alone"]
            rows.append([f"{shape}, {what}", *(f"{1e3 * alone[name]:.0f}" for name in names), f"{100 * alone['fraction_of_floor']:.0f} %"])
            memory.append([f"{shape}, {what}", *(f"{value / 2**20:.0f}" for value in alone["owners"].values())])
            owners = list(alone["owners"])
    return (table(["ms", "forward", "output layer", "backward", "gradient norm", "optimizer", "speed of light"], rows) + "\n" + table(["MB at the peak", *owners], memory))


def operations(record):
    names, rows = ("float products", "attention", "other ATen", "own kernels and autograd"), []
    for shape, part in record["steps"].items():
        for what in ("unquantized", "W4A4"):
            taken = part["rows"][f"detent, {what}"]["alone"]["operations"]
            rows.append([f"{shape}, {what}", *(f"{100 * taken.get(name, 0) / sum(taken.values()):.0f} %" for name in names)])
    return table(["share of a step", *names], rows)


def by_threads(record, wanted):
    """{(name, shape): {threads: row}} in the order of the record."""
    found = {}
    for row in record["shapes"]:
        if wanted(row):
            found.setdefault((row["name"], row["shape"]), {})[row["threads"]] = row
    return found


def is_product(row):
    return row["shape"].count("x") == 2  # tokens, depth, outputs


def shapes(record):
    found = by_threads(record, lambda row: not is_product(row))
    names, sizes = list(dict.fromkeys(name for name, _ in found)), list(dict.fromkeys(size for _, size in found))

    def cell(name, size):
        return " / ".join(f"{row['ratio']:.1f}" for row in found[name, size].values()) if (name, size) in found else ""
    head = ["times faster than ATen", *sizes]
    slower = [f"{row['name']} {row['shape']} on {row['threads']} thread(s), {row['ratio']:.2f} ({row['low']:.2f}–{row['high']:.2f})"
              for row in record["shapes"] if row["ratio"] < 1]
    ending = "\nBelow 1: " + "; ".join(slower) + ".\n" if slower else f"\nNone of the {len(record['shapes'])} pairs, products included, is below 1.\n"
    return table(head, [[name, *(cell(name, size) for size in sizes)] for name in names]) + ending


def floors(record):
    found = by_threads(record, lambda row: not is_product(row) and row["shape"] == "4096x4096")
    rows = [[name, *(f"{row['copies']:.2f}, {row['gb_per_s']:.1f} GB/s, {100 * row['fraction_of_floor']:.0f} %" for row in each.values())]
            for (name, _), each in found.items()]
    threads = next(iter(found.values()), {})
    return table(["4096 × 4096: copies, GB/s, share of the bandwidth", *(f"{count} thread(s)" for count in threads)], rows)


def products(record):
    rows = [[name, shape.replace("x", " × "), *(spell(row, 1) for row in ({"median": r["ratio"], **r} for r in each.values())),
             *(f"{100 * row['fraction_of_floor']:.0f} %, {100 * row['baseline_fraction_of_floor']:.0f} %" for row in each.values())]
            for (name, shape), each in by_threads(record, is_product).items()]
    threads = next(iter(by_threads(record, is_product).values()))
    head = ["", "tokens × depth × outputs", *(f"× ATen, {count} thread(s)" for count in threads), *(f"of the peaks, {count} thread(s)" for count in threads)]
    return table(head, rows)


def scaling(record):
    def spell_size(size):
        return f"{size:.0f}" if size < 1e5 else f"{size / 1e6:.1f} M"
    rows = [[row["name"], ", ".join(f"{spell_size(size)}: {1e3 * seconds:.0f}" for size, seconds in zip(row["size"], row["seconds"])), f"{row['exponent']:.2f}"]
            for row in record["scaling"]]
    return table(["", "size: ms", "exponent"], rows)


# Name of the place, what fills it, and the part of a record that this needs.
SECTIONS = {"machine": (machine, "machine"), "kernels": (kernels, "kernels"), "steps": (steps, "steps"), "parts": (parts, "steps"),
            "operations": (operations, "steps"), "shapes": (shapes, "shapes"), "floors": (floors, "shapes"), "products": (products, "shapes"),
            "scaling": (scaling, "scaling")}


def filled(text, records):
    def section(match):
        make, part = SECTIONS[match[1]]
        having = [record for record in records if part in record]
        titles = [f"**{record['machine']['cpu']}, {record['machine']['integer_products']}**\n\n" if len(having) > 1 else "" for record in having]
        made = [title + make(record).strip("\n") + "\n" for title, record in zip(titles, having)]
        return f"<!-- {match[1]} -->\n" + "\n".join(made) + "<!-- end -->"
    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", section, text, flags=re.S)


def main():
    records = [json.loads(path.read_text()) for path in sorted((HERE / "records").glob("*.json"))]
    text = DOCUMENT.read_text()
    if missing := [name for name in SECTIONS if f"<!-- {name} -->" not in text]:
        raise SystemExit(f"{DOCUMENT}: no place for {', '.join(missing)}; a place is <!-- NAME --> and <!-- end --> on lines of their own")
    new = filled(text, records)
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(new)
    elif new != text:
        raise SystemExit("docs/speed.md is not what bench/records says; run python3 bench/tables.py")


if __name__ == "__main__":
    main()
