"""llama2c/: checkpoints in llama2.c's formats with a tokenizer, their logits and the ids of some texts (llama2c_reference.py)."""
import numpy as np
import llama2c_reference as reference
from common import HERE, Golden

TEXTS = ["", "a", " a", "the cat sat on the mat", "  two  spaces\n\nand\ta tab ", "Größe – naïve café", "日本語 🙂", "thethethe the", "aaaaaaaaaaa",
         "<s> <unk> <0x41>", "no\x00w", "\u2581the \u2581 cat\u2581"]
CORPUS = "the cat sat on the mat and the rat ate the cat at the inn. then the man met the hen in the tent, and ten men ran."


def train(count):
    """Merges of the most frequent pair of a corpus, as sentencepiece's BPE finds them; then the characters."""
    words = [list(" " + word) for word in CORPUS.split()]
    merged = []
    while len(merged) < count:
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        a, b = max(sorted(pairs), key=lambda pair: pairs[pair])
        merged += [a + b] if a + b not in merged else []
        for word in words:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == (a, b):
                    word[i : i + 2] = [a + b]
                i += 1
    return merged + sorted(set(CORPUS) - {"\n"}) + ["ö", "–"]


folder = HERE / "llama2c"
folder.mkdir(exist_ok=True)
pieces = train(24)
tokens = [b"<unk>", b"\n<s>\n", b"\n</s>\n"] + [b"<0x%02X>" % i for i in range(256)] + [piece.encode() for piece in pieces]
reference.write_tokenizer(folder / "tokenizer.bin", tokens, [0.0] * 259 + [-float(i) for i in range(len(pieces))])
tokenizer = reference.Tokenizer(folder / "tokenizer.bin")

golden = Golden()
rng = np.random.default_rng(42)
p = {"dim": 16, "hidden_dim": 20, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "vocab_size": len(tokens), "max_seq_len": 32}
ids = rng.integers(0, len(tokens), 24)
weights = {name: (rng.normal(0, 0.3, shape) + (1 if "rms" in name else 0)).astype(np.float32) for name, shape in reference.shapes(p).items()}
tied = {name: value for name, value in weights.items() if name != "wcls"}
for name, version, w in (("v0", 0, tied), ("v0_untied", 0, weights), ("v1", 1, tied), ("v1_untied", 1, weights)):
    reference.write(folder / f"{name}.bin", p, w, version)
    golden.case(name, {"input_ids": ids.astype(np.int64), "logits": reference.logits(p, w, ids).astype(np.float32)}, **p)
for i, text in enumerate(TEXTS):
    golden.case(f"text{i}", {"ids": np.array(tokenizer.encode(text), np.int64)}, text=text)
golden.save("llama2c/llama2c.safetensors")
