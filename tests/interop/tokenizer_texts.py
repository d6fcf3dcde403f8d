"""Text to compare tokenizers on: books, code, and what their rules are sensitive to, made by a fixed random stream."""
import pathlib
import random
import subprocess
import sysconfig
import unicodedata

SCRIPTS = {  # ranges of code points, some words of each
    "latin": (0x41, 0x24F), "greek": (0x370, 0x3FF), "cyrillic": (0x400, 0x52F), "armenian": (0x531, 0x58F),
    "hebrew": (0x591, 0x5F4), "arabic": (0x600, 0x6FF), "devanagari": (0x900, 0x97F), "bengali": (0x980, 0x9FE),
    "tamil": (0xB82, 0xBFA), "thai": (0xE01, 0xE5B), "tibetan": (0xF00, 0xFDA), "georgian": (0x10A0, 0x10FF),
    "jamo": (0x1100, 0x11FF), "ethiopic": (0x1200, 0x139F), "khmer": (0x1780, 0x17FF), "greek_extended": (0x1F00, 0x1FFE),
    "punctuation": (0x2000, 0x206F), "symbols": (0x2070, 0x2BFF), "kana": (0x3000, 0x30FF), "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3), "halfwidth": (0xFF01, 0xFFEE), "gothic": (0x10330, 0x1034A), "math": (0x1D400, 0x1D7FF),
    "emoji": (0x1F300, 0x1FAFF), "han_b": (0x20000, 0x2A6DF)}


def decompress(path):
    return subprocess.run(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE, check=True).stdout


def books(data, size):
    path = data / "books-valid.jsonl.zst"
    if not path.exists():
        return code(size)
    import json
    text = "".join(json.loads(line)["text"] + "\n\n" for line in decompress(path).decode().splitlines() if line)
    return text.encode()[:size]


def code(size):
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    out = b""
    for path in sorted(folder.glob("*.py")):
        out += path.read_bytes()
        if len(out) > size:
            break
    return out[:size]


def scripts(random_, size):
    letters = [[chr(c) for c in range(low, high + 1) if unicodedata.category(chr(c)) != "Cn"]
               for low, high in SCRIPTS.values()]
    out, length = [], 0
    while length < size:
        alphabet = random_.choice(letters)
        line = " ".join("".join(random_.choices(alphabet, k=random_.randint(1, 9))) for _ in range(random_.randint(1, 12)))
        out.append(line + random_.choice(["\n", ". ", ", ", "\r\n", "\n\n", " ", "'s ", "1", "»"]))
        length += len(out[-1].encode())
    return "".join(out).encode()


def marks(random_, size):
    base = "aeiouAEnsכשकกあ가 \n"
    combining = [chr(c) for c in range(0x300, 0x1DFFF) if unicodedata.combining(chr(c))]
    common = [chr(c) for c in range(0x300, 0x345)]
    out, length = [], 0
    while length < size:
        piece = random_.choice(base) + "".join(random_.choices(random_.choice([common, combining]), k=random_.randint(0, 4)))
        piece += random_.choice(["", "", "", "ﬁ", "①", "Å", "Ǆ", "İ", "ẞ", "각", "\u1100\u1161\u11a8", "\u0344", "①"])
        out.append(piece)
        length += len(piece.encode())
    return "".join(out).encode()


def emoji(random_, size):
    parts = ["👩", "👨", "👧", "🏽", "🏿", "\u200d", "\ufe0f", "❤", "🔥", "🇫", "🇷", "🇯", "🇵", "🏴", "\U000e0067", "\U000e007f", "1\ufe0f\u20e3",
             "☺", "🙂", "🫠", " ", "\n", "a", "ok", "!"]
    return "".join(random_.choices(parts, k=size // 3)).encode()


def runs(random_, size):
    out, length = [], 0
    while length < size:
        kind = random_.randint(0, 6)
        count = random_.choice([1, 2, 3, 4, 5, 8, 31, 32, 33, 100, 1000, 20000])
        piece = [" " * count, "\n" * count, "".join(random_.choices("0123456789", k=count)),
                 "".join(random_.choices(" \t\n\r\u00a0\u3000\u2028\u0085\u180e\u200b\u001c", k=count)),
                 "".join(random_.choices("٠١٢³½Ⅷ〇①१", k=count)), random_.choice("aé漢-_=.") * count,
                 "".join(random_.choices(" .,;:!?'\"()[]{}<>-_=+*/\\|@#$%^&~`", k=count))][kind]
        out.append(piece + random_.choice(["", "a", "B ", "é", "漢", "'s", "'RE", "'ſ", "'ll ", "'Ve", "' ", "1", "\n"]))
        length += len(out[-1].encode())
    return "".join(out).encode()


def invalid(random_, size):
    pieces = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x28\xa1",
              b"plain ", "é".encode(), "漢字".encode(), b"\n", b"\x00", b"it's "]
    return b"".join(random_.choices(pieces, k=size // 3))


def spelled(random_, size):
    pieces = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<mask>", "<lw>", "[PAD]", "<0x0A>", "<0xE2>", "▁", "▁▁", "Ġ",
              " <mask> ", "\n<mask>\n", "x<lw>", "<lw>x", " <lw> ", "émigré", "ÉMIGRÉ", "e\u0301migre\u0301", " ", "  ", "\n", "word", "user", "a\nb", "<|", "|>", "<", ">"]
    return "".join(random_.choices(pieces, k=size // 5)).encode()


def every_code_point():
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    return " a".join(points[i] + points[i] + "'" + points[i] for i in range(0, len(points), 7)).encode() + "".join(points).encode()


def corpora(data):
    random_ = random.Random(5)
    million = 1_000_000
    yield "books", books(data, 4 * million)
    yield "code", code(2 * million)
    yield "scripts", scripts(random_, 2 * million)
    yield "marks", marks(random_, million // 2)
    yield "emoji", emoji(random_, million // 2)
    yield "runs", runs(random_, million)
    yield "invalid", invalid(random_, million // 3)
    yield "spelled", spelled(random_, million // 3)
    yield "every", every_code_point()
    yield "tiny", b"a"
    yield "space", b" "


def training_lines(data):
    random_ = random.Random(6)
    text = books(data, 1_500_000) + code(700_000) + scripts(random_, 400_000) + marks(random_, 100_000) + emoji(random_, 100_000)
    text += runs(random_, 200_000)
    return text.decode("utf-8", errors="replace").splitlines(keepends=True)
