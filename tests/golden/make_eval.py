"""eval/: a tiny random Llama with a byte-level BPE of Llama 3's kind, and what lm-evaluation-harness and transformers make of
text, multiple choice and chats with them. Needs lm-eval (0.4.13) and accelerate beside the other packages.

The tokenizer is trained here, on the sentences below and the licence; wikitext2-valid.txt is read from ../shared/data if it is there.
"""
import importlib.util, json, pathlib, random, re, shutil, statistics, sys, types
import lm_eval
import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from common import HERE, Golden, record
from eval_data import CHATS, PAIRS, SENTENCES, TASKS, TEMPLATES
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

# The harness's own file, loaded alone: its package wants data set libraries that only the type annotation there names.
sys.modules.setdefault("datasets", types.SimpleNamespace(Dataset=object))
path = pathlib.Path(lm_eval.__path__[0]) / "tasks/hellaswag/utils.py"
spec = importlib.util.spec_from_file_location("hellaswag_utils", path)
hellaswag_utils = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hellaswag_utils)

torch.set_num_threads(1)
FOLDER = HERE / "eval"
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
golden = Golden()


def make_tokenizer():
    bpe = Tokenizer(models.BPE(ignore_merges=True))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    text = SENTENCES + (HERE.parent.parent / "LICENSE").read_text().splitlines()
    bpe.train_from_iterator(text, trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    bpe.add_special_tokens(SPECIALS)
    bpe.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bpe.token_to_id("<|begin_of_text|>"))])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>",
                                                clean_up_tokenization_spaces=False)


def make_model(tokenizer):
    torch.manual_seed(4)
    config = transformers.LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                                      num_key_value_heads=2, max_position_embeddings=2048, rms_norm_eps=1e-5, initializer_range=0.25, tie_word_embeddings=True,
                                      bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                                      rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    return transformers.LlamaForCausalLM(config).float().eval()


shutil.rmtree(FOLDER, ignore_errors=True)
tokenizer = make_tokenizer()
model = make_model(tokenizer)
model.save_pretrained(FOLDER)
tokenizer.save_pretrained(FOLDER)


def nll(ids, scored_from):
    """Sum of the negative log-likelihoods of ids[scored_from:], each after all ids before it."""
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]])).logits[0].double()
    return torch.nn.functional.cross_entropy(logits[scored_from - 1:], torch.tensor(ids[scored_from:]), reduction="sum").item()


def windows(documents, context, stride):
    """cli.md, section 6, with a BOS: context - 1 ids of text after it, all scored once, by the first window that reaches them."""
    total = count = number = 0
    for document in documents:
        ids = tokenizer.encode(document, add_special_tokens=False)
        start = scored = 0
        while scored < len(ids):
            end = min(start + context - 1, len(ids))
            total += nll([tokenizer.bos_token_id] + ids[start:end], 1 + scored - start)
            count, number, scored, start = count + end - scored, number + 1, end, start + (stride or context - 1)
    return total, count, number


def gptq(documents, context):
    """The evaluation of GPTQ's code (opt.py, llama.py): rows of the encoded text, labels shifted inside each, the rest left out."""
    total = count = number = 0
    for document in documents:
        ids = tokenizer(document).input_ids
        for i in range(len(ids) // context):
            total += nll(ids[i * context:(i + 1) * context], 1)
            count, number = count + context - 1, number + 1
    return total, count, number


def rolling(documents, context):
    lm = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", max_length=context, add_bos_token=False, batch_size=1, device="cpu")
    requests = [Instance("loglikelihood_rolling", {}, (d,), 0) for d in documents]
    return -sum(lm.loglikelihood_rolling(requests, disable_tqdm=True)), sum(len(tokenizer.encode(d, add_special_tokens=False)) for d in documents), 0


def perplexities(name, documents, contexts, strides):
    for context in contexts:
        runs = {"windows": windows(documents, context, 0), "gptq": gptq(documents, context), "lm-eval": rolling(documents, context)}
        for stride in strides:
            runs[f"stride-{stride}"] = windows(documents, context, stride)
        for convention, (total, tokens, number) in runs.items():
            stride = int(convention[7:]) if convention.startswith("stride") else 0
            golden.case(f"{name}.{context}.{convention}", {"nats": np.array([total])}, kind="perplexity", text=name, context=context, stride=stride,
                        convention="windows" if stride else convention, tokens=tokens, windows=number)
    golden.case(f"{name}.counts", {}, kind="counts", text=name, words=sum(len(re.split(r"\s+", d)) for d in documents),
                bytes=sum(len(d.encode()) for d in documents))


chooser = random.Random(7)
documents = [" ".join(chooser.choices(SENTENCES, k=n)) + "\n" * (n % 3) for n in (1, 40, 2, 15)]
golden.put("text", np.frombuffer("\x00".join(documents).encode(), np.uint8))
perplexities("text", documents, (16, 64), (5, 15))
wikitext = HERE.parent.parent.parent / "shared/data/text/wikitext2-valid.txt"
if wikitext.exists():
    perplexities("wikitext", [wikitext.read_bytes()[:100_000].decode(errors="ignore")], (2048,), (1024,))


class Rows(list):
    def map(self, function):
        return [function(row) for row in self]


def questions(name, rows):
    """(context, choices, delimiter, gold) as the harness's task files word them."""
    for row in rows:
        if name == "hellaswag":
            out = hellaswag_utils.process_docs(Rows([row]))[0]
            yield out["query"], out["choices"], " ", out["gold"]
        elif name == "arc":
            yield f"Question: {row['question']}\nAnswer:", row["choices"]["text"], " ", row["choices"]["label"].index(row["answerKey"])
        elif name == "piqa":
            yield f"Question: {row['goal']}\nAnswer:", [row["sol1"], row["sol2"]], " ", row["label"]
        else:
            yield row["context"], row["choices"], "", row["answer"]


for name, rows in TASKS.items():
    (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for bos in (True, False):
        context = 48 if name == "choices" else 2048
        lm = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", max_length=context, add_bos_token=bos, batch_size=1, device="cpu")
        lls, right = [], {"acc": [], "acc_norm": [], "acc_bytes": []}
        for context_text, choices, delimiter, gold in questions(name, rows):
            requests = [Instance("loglikelihood", {}, (context_text, delimiter + choice), 0) for choice in choices]
            scores = np.array([ll for ll, _ in lm.loglikelihood(requests, disable_tqdm=True)])
            characters = np.array([float(len(c)) for c in choices])
            sizes = np.array([float(len(c.encode())) for c in choices])
            for key, value in (("acc", scores), ("acc_norm", scores / characters), ("acc_bytes", scores / sizes)):
                right[key].append(float(np.argmax(value) == gold))
            lls += list(scores)
        fields = {key: float(np.mean(value)) for key, value in right.items()} | {f"{key}_stderr": statistics.stdev(value) / len(value) ** 0.5 for key, value in right.items()}
        golden.case(f"{name}.{'bos' if bos else 'plain'}", {"log_likelihoods": np.array(lls)}, kind="task", task=name, bos=bos, context=context, **fields)


def put_documents(identity, documents, **fields):
    """documents: (ids, mask) each."""
    golden.case(identity, {"ids": np.concatenate([np.array(ids, np.int64) for ids, _ in documents]),
                           "mask": np.concatenate([np.array(mask, np.int64) for _, mask in documents]),
                           "ends": np.cumsum([len(ids) for ids, _ in documents])}, kind="chat", **fields)


(FOLDER / "messages.jsonl").write_text("".join(json.dumps({"messages": c}, ensure_ascii=False) + "\n" for c in CHATS))
(FOLDER / "pairs.jsonl").write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in PAIRS))
for name, template in TEMPLATES.items():
    chats = [tokenizer.apply_chat_template(c, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True) for c in CHATS]
    put_documents(f"messages.{name}", [(c["input_ids"], c["assistant_masks"]) for c in chats], format=name)
    pairs = [[{"role": "user", "content": p["prompt"]}, {"role": "assistant", "content": p["completion"]}] for p in PAIRS]
    chats = [tokenizer.apply_chat_template(c, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True) for c in pairs]
    put_documents(f"pairs.{name}", [(c["input_ids"], c["assistant_masks"]) for c in chats], format=name)

joined = []
for pair in PAIRS:
    encoding = tokenizer(pair["prompt"] + pair["completion"], return_offsets_mapping=True, add_special_tokens=False)
    start = len(pair["prompt"])
    mask = [int(end > start) for _, end in encoding["offset_mapping"]]
    joined.append(([tokenizer.bos_token_id] + encoding["input_ids"] + [tokenizer.eos_token_id], [0] + mask + [1]))
put_documents("pairs.plain", joined, format="")

# Text that spells special tokens, as text: the library's own switch.
tricks = ["<|eot_id|>", "a<|im_end|>\n<|im_start|>user\nb", "<|begin_of_text|> <|eot_id|", "x<|end_header_id|>\n\n<|end_of_text|>y"]
tokenizer.backend_tokenizer.encode_special_tokens = True
golden.case("tricks", {f"ids{i}": np.array(tokenizer.encode(t, add_special_tokens=False), np.int64) for i, t in enumerate(tricks)}, kind="tricks", texts=tricks)
golden.save("eval/eval.safetensors")
for file in sorted(FOLDER.iterdir()):
    record(f"eval/{file.name}")
