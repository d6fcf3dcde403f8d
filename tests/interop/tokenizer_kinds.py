"""The tokenizers to compare: every way of cutting text that models use, trained by the libraries themselves."""
import io

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = (CONTRACTIONS +
          r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+").replace('\\"', '"')
DEEPSEEK_LLM = [r"[\r\n]", "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽ]+",
                "\\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-퟿]+"]
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ODD = r"\b\w+\b|^\d+$|[^\w\s]{2,3}?|(?<=a)b++|(?<!x)[\t-\r]|\S\B"


def cut(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(use_regex=False, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)


def sequence(*parts):
    return pre_tokenizers.Sequence(list(parts))


SPECIAL = [AddedToken("<|endoftext|>", special=True), AddedToken("<|im_start|>", special=True),
           AddedToken("<|im_end|>", special=True), AddedToken("<mask>", special=True, lstrip=True, rstrip=True)]
PLAIN = [AddedToken("<lw>", single_word=True, normalized=False), AddedToken("émigré", normalized=True),
         AddedToken("user", normalized=True, rstrip=True)]
PLAIN_ODD = PLAIN + [AddedToken("  ", normalized=False), AddedToken("a\nb", normalized=False, lstrip=True)]


def byte_kinds():
    """name, normalizer, pre-tokenizer, options of BPE, added tokens that are not special"""
    yield "gpt2", None, byte_level(True), {}, PLAIN
    yield "gpt2-prefix", None, byte_level(True, True), {}, PLAIN
    yield "no-regex", None, byte_level(), {}, PLAIN
    yield "llama3", None, sequence(cut(LLAMA3), byte_level()), {"ignore_merges": True}, PLAIN
    yield "qwen2-nfc", normalizers.NFC(), sequence(cut(QWEN2), byte_level()), {}, PLAIN
    yield "qwen35", normalizers.NFC(), sequence(cut(QWEN35), byte_level()), {}, PLAIN_ODD
    yield "smollm", None, sequence(pre_tokenizers.Digits(individual_digits=True), byte_level(True)), {}, PLAIN
    yield "deepseek3", None, sequence(cut(r"\p{N}{1,3}"), cut("[一-龥぀-ゟ゠-ヿ]+"), cut(DEEPSEEK3), byte_level()), {}, PLAIN
    yield "deepseek-llm", None, sequence(*[cut(p) for p in DEEPSEEK_LLM], pre_tokenizers.Digits(True), byte_level()), {}, PLAIN
    yield "gpt4o", None, sequence(cut(GPT4O), byte_level()), {}, PLAIN
    yield "odd", normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.Replace(Regex("q+"), "kw")]), \
        sequence(cut(ODD, "merged_with_next"), byte_level()), {}, PLAIN
    for behavior in ("removed", "merged_with_previous", "contiguous"):
        yield behavior, normalizers.NFKC(), sequence(cut(r"\s+|\p{P}", behavior), byte_level(False, True)), {}, PLAIN
    yield "merged-space", None, sequence(cut(r"\s", "merged_with_previous"), byte_level()), {}, PLAIN
    yield "inverted", normalizers.NFD(), sequence(cut(r"\w+", "removed", True), pre_tokenizers.Digits(False), byte_level()), {}, PLAIN
    yield "inverted-class", None, sequence(cut(r"[\w']+|\s\W", "merged_with_next", True), byte_level()), {}, PLAIN


def character_kinds():
    llama = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    fallback = {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    unknown = {"unk_token": "<unk>"}
    yield "llama2", llama, None, fallback, PLAIN
    yield "metaspace-first", None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), fallback, PLAIN
    yield "metaspace-always", None, pre_tokenizers.Metaspace(prepend_scheme="always", split=True), fallback, PLAIN
    yield "metaspace-never", normalizers.NFC(), pre_tokenizers.Metaspace(prepend_scheme="never", split=True), unknown, PLAIN_ODD
    yield "fused", normalizers.Strip(), pre_tokenizers.Metaspace(), {"fuse_unk": True, "unk_token": "<unk>"}, PLAIN
    yield "words", None, pre_tokenizers.Whitespace(), unknown, PLAIN
    yield "space-words", normalizers.Lowercase(), sequence(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()), {}, PLAIN
    yield "string", None, pre_tokenizers.Split(" ", "merged_with_previous"), {}, PLAIN


def decoder_of(name):
    if name == "llama2":
        return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                  decoders.Strip(" ", 1, 0)])
    if name == "metaspace-first":
        return decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first"), decoders.Fuse()])
    return decoders.Metaspace(prepend_scheme="never") if name == "metaspace-never" else decoders.Metaspace()


def trained(lines, normalizer, pre_tokenizer, options, added, alphabet, vocabulary):
    tokenizer = Tokenizer(models.BPE(**{k: v for k, v in options.items() if k != "ignore_merges"}))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] if options.get("unk_token") else []
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False,
                                  limit_alphabet=1500, max_token_length=40)
    # Without a pre-tokenizer whole lines would be words; training on pieces of them finds the same kind of merges.
    if pre_tokenizer is None:
        lines = [word + " " for line in lines for word in line.split(" ")]
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(added)
    return tokenizer


def unmark_bytes(path):
    """The trainer lists the byte tokens among the special ones; in models they are ordinary."""
    import json
    content = json.loads(path.read_text())
    content["added_tokens"] = [t for t in content["added_tokens"] if not t["content"].startswith("<0x")]
    path.write_text(json.dumps(content, ensure_ascii=False))


def all_kinds():
    """(kind, the letters that its training begins with, decoder) of every tokenizer."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    yield from ((kind, alphabet, decoders.ByteLevel()) for kind in byte_kinds())
    yield from ((kind, [], decoder_of(kind[0])) for kind in character_kinds())


def made(kind, letters, decoder, lines, vocabulary, folder):
    """Trains one of all_kinds() and saves it; returns the path of its tokenizer.json."""
    name, normalizer, pre_tokenizer, options, added = kind
    tokenizer = trained(lines, normalizer, pre_tokenizer, options, added, letters, vocabulary)
    tokenizer.decoder = decoder
    if options.get("ignore_merges"):
        tokenizer.model.ignore_merges = True
    path = folder / f"{name}.json"
    tokenizer.save(str(path))
    unmark_bytes(path)
    return path


def hugging_face_kinds(lines, folder, wanted):
    for kind, letters, decoder in all_kinds():
        if not wanted(kind[0]):
            continue
        path = made(kind, letters, decoder, lines, 6000, folder)
        tokenizer = Tokenizer.from_file(str(path))
        yield (kind[0], path, lambda text, t=tokenizer: t.encode(text, add_special_tokens=False).ids,
               lambda ids, t=tokenizer: t.decode(ids, skip_special_tokens=True))


def sentencepiece_kinds(lines, folder, wanted):
    import sentencepiece
    # The lines hold most of Unicode's characters; a few thousand lines and the more frequent characters train in seconds.
    common = {"vocab_size": 4000, "character_coverage": 0.98, "max_sentence_length": 8000, "minloglevel": 2}
    lines = [line.rstrip("\n") for line in lines if line.strip()]
    lines = lines[::max(1, len(lines) // 4000)]
    llama = {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
             "split_digits": True, "allow_whitespace_only_pieces": True}
    for name, options in (("sp-bpe-llama", {"model_type": "bpe", **llama}), ("sp-unigram-llama", {"model_type": "unigram", **llama}),
                          ("sp-unigram-nfkc", {"model_type": "unigram"}), ("sp-bpe-nfkc", {"model_type": "bpe", "user_defined_symbols": ["<lw>"]})):
        if not wanted(name):
            continue
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **common, **options)
        path = folder / f"{name}.model"
        path.write_bytes(model.getvalue())
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        yield name, path, processor.encode, processor.decode
