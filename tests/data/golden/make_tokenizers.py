#!/usr/bin/env python3
"""Writes tests/data/golden/tokenizers/: small tokenizers and what Hugging Face's library makes of hostile texts.

    python3 tests/data/golden/make_tokenizers.py        (tokenizers 0.23.3, sentencepiece 0.1.97)

NAME.json is a tokenizer that the library trained and wrote; cases.json holds for each the texts with their ids without
and with the template, and the text that the ids decode to. sentencepiece.model and sentencepiece.json are the same of a BPE model of
sentencepiece. The libraries are the only source of the numbers.
"""
import io
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
import tokenizers  # noqa: E402

sys.path.append(str(HERE.parents[1] / "interop"))
from tokenizer_kinds import byte_kinds, character_kinds, decoder_of, trained, unmark_bytes  # noqa: E402
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors  # noqa: E402

OUT = HERE / "tokenizers"
WANTED = ["gpt2-prefix", "no-regex", "llama3", "qwen2-nfc", "smollm", "deepseek3", "odd", "contiguous", "merged-space",
          "inverted", "inverted-class", "llama2", "metaspace-first", "metaspace-never", "fused", "words"]
LINES = ["the quick brown fox's den, don't we'll they're 1234567 times\n", "for i in range(10):\n    print(i, 'x')\n\n",
         "naïve café über straße 漢字かな 12,345.67 ½\n", "aaaa bbbb  cccc   dddd\t\t\teeee\r\n"] * 8
TEXTS = ["", " ", "a", "  a", "the quick brown fox", "don't WE'LL they'Re 'ſ", "1234567 ٣٤٥ ½Ⅷ", "a\n\n\nb \r\n c\t\td   ",
         "naïve cafe\u0301 u\u0308ber ǅ İ ẞ ﬁ ①", "漢字かな 한국어 \u1112\u1161\u11ab", "👩\u200d👩\u200d👧🏽 🇫🇷 ❤\ufe0f", "x<lw>y <lw> z",
         "<|im_start|>user\nhi<|im_end|>", "a  <mask>  b<mask>", "<|endoftext|><|endoftext|>", "émigré e\u0301migre\u0301 ÉMIGRÉ",
         "\x00\x01\x7f\u0085\u00a0\u180e\u200b\u3000", "▁▁a ▁b Ġc <0x0A>", "..., !!! (a)[b]{c} $x+=1;", "a" * 70, " " * 70, "\n" * 9 + "end",
         "qqq aab++ abab 9\n9", "x² a³b ¹ ½x (¼) 1¾ a\u200db \u200c", "a..b ...c ....d !?;e", "\U00020000\U0001e030\u0301\u0316", "users user  x"]


def kinds():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    for kind in byte_kinds():
        yield kind, alphabet, decoders.ByteLevel()
    for kind in character_kinds():
        yield kind, [], decoder_of(kind[0])


def sentencepiece_model():
    """Bytes that are no text reach the library as Python reads them, and are kept in hexadecimal."""
    import sentencepiece
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.rstrip("\n") for line in LINES]), model_writer=model, model_type="bpe", vocab_size=360,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True, minloglevel=2)
    (OUT / "sentencepiece.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    texts = [text.encode() for text in TEXTS] + [b"caf\xc3", b"\xff\xfe a", b"\xe2\x82\n\xf0\x9f\x98 x", b"\xed\xa0\x80", b"\xe2\x28\xa1"]
    ids = [processor.encode(text.decode(errors="replace")) for text in texts]
    cases = {"library": f"sentencepiece {sentencepiece.__version__}", "texts": [text.hex() for text in texts], "ids": ids,
             "decoded": [processor.decode(row) for row in ids]}
    (OUT / "sentencepiece.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    cases = {"library": f"tokenizers {tokenizers.__version__}", "texts": TEXTS, "tokenizers": {}}
    for (name, normalizer, pre_tokenizer, options, added), letters, decoder in kinds():
        if name not in WANTED:
            continue
        tokenizer = trained(LINES, normalizer, pre_tokenizer, options, added, letters, 640 if options.get("unk_token") else 340)
        tokenizer.decoder = decoder
        if options.get("ignore_merges"):
            tokenizer.model.ignore_merges = True
        bos = "<s>" if tokenizer.token_to_id("<s>") is not None else "<|im_start|>"
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A <|im_end|>", pair="$A $B",
            special_tokens=[(t, tokenizer.token_to_id(t)) for t in (bos, "<|im_end|>")])
        path = OUT / f"{name}.json"
        tokenizer.save(str(path), pretty=False)
        unmark_bytes(path)
        tokenizer = Tokenizer.from_file(str(path))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        cases["tokenizers"][name] = {
            "ids": ids, "with_template": [tokenizer.encode(text).ids for text in TEXTS],
            "decoded": [tokenizer.decode(row, skip_special_tokens=True) for row in ids]}
    sentencepiece_model()
    (OUT / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
