#!/usr/bin/env python3
"""Writes src/detent/data/tokenizer/unicode_categories.inc: the general category of every code point in Unicode 16.

    pip install unicodedata2==16.0.0 && python3 tools/make_unicode_categories.py

Oniguruma, which Hugging Face's tokenizers wheel carries, has Unicode 16; the packaged libraries have 14 and 15, and
ids must not depend on which one is installed.
"""
import pathlib

import unicodedata2

OUT = pathlib.Path(__file__).parent.parent / "src/detent/data/tokenizer/unicode_categories.inc"


def ranges():
    previous = None
    for code in range(0x110000):
        category = unicodedata2.category(chr(code))
        if category != previous:
            yield f"{{0x{code:X}, {category}}}"
        previous = category


def main():
    assert unicodedata2.unidata_version == "16.0.0"
    lines, line = [], ""
    for entry in ranges():
        if len(line) + len(entry) + 2 > 120:
            lines.append(line.rstrip())
            line = ""
        line += entry + ", "
    lines.append(line.rstrip())
    header = "// The general categories of Unicode 16.0: first code point of each run. Written by tools/make_unicode_categories.py.\n"
    OUT.write_text(header + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
