"""Opens a folder that detent saved with transformers and compares ids: check_tokenizer.py FOLDER."""
import sys

from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts = ["", "hello world", " leading, trailing ", "a\n\n\tb\r\n", "Ünïcödé 日本語 🙂\u200d", "don't  stop!  123 4567",
         "".join(map(chr, range(128))), "\u00a0\u00ad\u0100\u0122", "ﬁ ① é e\u0301"]
for text in texts:
    expected = list(text.encode("utf-8"))
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected, repr(text)
    assert tokenizer(text)["input_ids"] == expected, repr(text)
    assert tokenizer.decode(expected) == text, repr(text)
assert len(tokenizer) == tokenizer.vocab_size == 257, (len(tokenizer), tokenizer.vocab_size)
assert tokenizer.eos_token == "<|endoftext|>" and tokenizer.eos_token_id == 256 and tokenizer.bos_token is None
assert tokenizer("a<|endoftext|>b")["input_ids"] == [97, 256, 98]
assert tokenizer.decode([97, 256, 98], skip_special_tokens=True) == "ab"
if len(sys.argv) > 2:  # what transformers writes back, for detent to read
    tokenizer.save_pretrained(sys.argv[2])
