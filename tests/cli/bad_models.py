"""Malformed model folders: each is refused in one sentence with exit code 2, within a second and in little memory."""
# label: slow
import json
import math
import random
import struct

import support

SHAPE = {"vocab_size": 257, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIG = {"model_type": "llama", **SHAPE}
SPARE = 64 << 20  # memory that a case may take beyond its files and a bare start
SECONDS = 1.0  # of the processor, so that a busy machine does not count; 20 by the clock: no hang


def shapes():
    d, inner, vocab = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["vocab_size"]
    layer = {f"self_attn.{name}_proj": [d, d] for name in "qkvo"}
    layer |= {"mlp.gate_proj": [inner, d], "mlp.up_proj": [inner, d], "mlp.down_proj": [d, inner],
              "input_layernorm": [d], "post_attention_layernorm": [d]}
    tensors = {f"model.layers.0.{name}.weight": shape for name, shape in layer.items()}
    return {**tensors, "model.embed_tokens.weight": [vocab, d], "model.norm.weight": [d], "lm_head.weight": [vocab, d]}


class Weights:
    """A safetensors file in the making: entries of the header and the bytes behind it, free to be made wrong."""

    def __init__(self, tensors=None):
        self.header, self.data = {}, b""
        choose = random.Random(1)
        for name, shape in (shapes() if tensors is None else tensors).items():
            self.add(name, "F32", shape, struct.pack(f"<{math.prod(shape)}f",
                                                     *(choose.gauss(0, 0.1) for _ in range(math.prod(shape)))))

    def add(self, name, dtype, shape, data):
        self.header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(self.data), len(self.data) + len(data)]}
        self.data += data

    def poke(self, name, element, value):
        begin = self.header[name]["data_offsets"][0] + 4 * element
        self.data = self.data[:begin] + struct.pack("<f", value) + self.data[begin + 4:]

    def file(self, text=None, length=None):
        text = json.dumps(self.header).encode() if text is None else text
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text) if length is None else length) + text + self.data


def folder(weights=None, config=None, **files):
    """The files of a folder; config: a dict, or text as it stands."""
    text = json.dumps(CONFIG if config is None else config) if not isinstance(config, (str, bytes)) else config
    return {"config.json": text, "model.safetensors": (weights or Weights()).file(), **files}


CASES = {}


def case(fragment):
    """Registers a function that returns the files of a bad folder; fragment: part of the sentence that refuses it."""
    def add(function):
        CASES[function.__name__] = (function, fragment)
        return function
    return add


def config_case(name, fragment, **changes):
    CASES[name] = (lambda: folder(config={**CONFIG, **changes}), fragment)


config_case("unknown_key", "unknown key 'residual_multiplier'", residual_multiplier=0.2)
config_case("unknown_family", "model_type 'gemma2' is not handled", model_type="gemma2")
config_case("unknown_activation", "hidden_act", hidden_act="gelu")
config_case("unknown_scaling", "'yarn' is not handled", rope_scaling={"type": "yarn", "factor": 2.0})
config_case("packed_by_others", "quantization_config", quantization_config={"quant_method": "gptq", "bits": 4})
config_case("code_of_its_own", "auto_map", auto_map={"AutoModelForCausalLM": "modeling.Evil"})
config_case("negative_size", "'hidden_size' = -8 is out of range", hidden_size=-8)
config_case("huge_size", "out of range", hidden_size=1 << 62)
config_case("huge_layers", "num_hidden_layers", num_hidden_layers=1 << 24)
config_case("huge_but_possible", "is missing", num_hidden_layers=4096)
config_case("huge_table", "has shape", vocab_size=1 << 24, hidden_size=8)
config_case("number_as_text", "'hidden_size' has the wrong type", hidden_size="8")
config_case("fraction", "'num_attention_heads' has the wrong type", num_attention_heads=2.5)
config_case("odd_heads", "must be even", head_dim=3)
config_case("no_such_groups", "not a multiple of num_key_value_heads", num_attention_heads=4, num_key_value_heads=3)
config_case("zero_heads", "out of range", num_attention_heads=0)
config_case("spellings_disagree", "disagree", rope_theta=1e4, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
config_case("other_biases", "q_proj.bias' is missing", attention_bias=True)


@case("not valid JSON")
def config_cut_short():
    return folder(config=json.dumps(CONFIG)[:-20])


@case("appears twice")
def config_key_twice():
    return folder(config=json.dumps(CONFIG)[:-1] + ', "hidden_size": 8}')


@case("nested deeper")
def config_recursion_bomb():
    return folder(config='{"model_type": ' + "[" * 500_000)


@case("too many for a config.json")
def config_of_megabytes():
    return folder(config=json.dumps({**CONFIG, "id2label": {str(i): "label" for i in range(200_000)}}))


@case("not valid JSON")
def config_is_binary():
    return folder(config=bytes(range(256)) * 40)


@case("not a block of keys")
def config_is_a_list():
    return folder(config="[]")


@case("model_type is missing")
def config_is_empty():
    return folder(config="{}")


@case("no config.json")
def no_config():
    return {"model.safetensors": Weights().file()}


@case("neither model.safetensors nor")
def no_weights():
    return {"config.json": json.dumps(CONFIG)}


@case("is a pickle")
def pickle_only():
    return {"config.json": json.dumps(CONFIG), "pytorch_model.bin": b"\x80\x02}q\x00."}


@case("'model.norm.weight' is missing")
def tensor_missing():
    return folder(Weights({name: shape for name, shape in shapes().items() if name != "model.norm.weight"}))


@case("'model.extra.weight' has no place")
def tensor_too_many():
    return folder(Weights({**shapes(), "model.extra.weight": [3]}))


@case("has shape [8, 257]")
def tensor_misshapen():
    return folder(Weights({**shapes(), "lm_head.weight": [8, 257]}))


@case("is I32; weights must be")
def tensor_of_integers():
    weights = Weights()
    weights.header["model.norm.weight"]["dtype"] = "I32"
    return folder(weights)


@case("unknown dtype")
def dtype_unknown():
    weights = Weights()
    weights.header["model.norm.weight"]["dtype"] = "F31"
    return folder(weights)


@case("its dtype and shape need")
def dtype_of_another_size():
    weights = Weights()
    weights.header["model.norm.weight"]["dtype"] = "F16"
    return folder(weights)


@case("not finite")
def weight_is_nan():
    weights = Weights()
    weights.poke("model.layers.0.mlp.down_proj.weight", 5, math.nan)
    return folder(weights)


@case("not finite")
def weight_is_infinite():
    weights = Weights()
    weights.poke("lm_head.weight", 2055, -math.inf)
    return folder(weights)


@case("overlaps the one before")
def offsets_overlap():
    weights = Weights()
    first, second = list(weights.header)[:2]
    weights.header[second]["data_offsets"] = list(weights.header[first]["data_offsets"])
    return folder(weights)


@case("ends before it begins")
def offsets_reversed():
    weights = Weights()
    weights.header["model.norm.weight"]["data_offsets"].reverse()
    return folder(weights)


@case("negative number")
def offsets_negative():
    weights = Weights()
    weights.header["model.norm.weight"]["data_offsets"][0] = -4
    return folder(weights)


@case("the shape of tensor")
def shape_overflows():
    weights = Weights()
    weights.header["model.norm.weight"]["shape"] = [1 << 32, 1 << 32, 1 << 32]
    return folder(weights)


@case("negative number")
def shape_negative():
    weights = Weights()
    weights.header["model.norm.weight"]["shape"] = [-8]
    return folder(weights)


@case("dimensions")
def shape_of_a_thousand_dimensions():
    weights = Weights()
    weights.header["model.norm.weight"]["shape"] = [1] * 1000
    return folder(weights)


@case("cut short")
def header_beyond_the_file():
    return folder(**{"model.safetensors": Weights().file(length=1 << 20)})


@case("over the limit")
def header_of_exabytes():
    return folder(**{"model.safetensors": Weights().file(length=1 << 62)})


@case("names 'model.norm.weight' twice")
def header_key_twice():
    weights = Weights()
    text = json.dumps(weights.header)[:-1] + ', "model.norm.weight": ' + json.dumps(weights.header["model.norm.weight"])
    return folder(**{"model.safetensors": weights.file(text.encode() + b"}")})


@case("where it has no place")
def header_recursion_bomb():
    text = b'{"a": ' + b"[" * 4_000_000
    return folder(**{"model.safetensors": Weights({}).file(text)})


@case("twice")
def header_of_one_name():
    text = b'{"__metadata__":{' + b",".join(b'"key":"value"' for _ in range(400_000)) + b"}}"
    return folder(**{"model.safetensors": Weights({}).file(text)})


@case("too few for a safetensors file")
def weights_are_empty():
    return folder(**{"model.safetensors": b""})


@case("over the limit")
def weights_are_text():
    return folder(**{"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"})


@case("cut short")
def weights_cut_short():
    return folder(**{"model.safetensors": Weights().file()[:-100]})


@case("after the last tensor")
def weights_too_long():
    return folder(**{"model.safetensors": Weights().file() + b"more"})


@case("ties the head to the embedding")
def tied_head_of_other_values():
    return folder(config={**CONFIG, "tie_word_embeddings": True})


@case("rotary frequencies")
def rotary_buffer_of_other_values():
    return folder(Weights({**shapes(), "model.layers.0.self_attn.rotary_emb.inv_freq": [2]}))


def sharded(change=lambda index, shards: None):
    """Two shards and their index, changed before they are written."""
    names = list(shapes())
    shards = {"a.safetensors": Weights({n: shapes()[n] for n in names[:5]}),
              "b.safetensors": Weights({n: shapes()[n] for n in names[5:]})}
    index = {"metadata": {}, "weight_map": {n: file for file, weights in shards.items() for n in weights.header}}
    change(index["weight_map"], shards)
    return {"config.json": json.dumps(CONFIG), "model.safetensors.index.json": json.dumps(index),
            **{name: weights.file() for name, weights in shards.items()}}


@case("no plain file name")
def shard_outside_the_folder():
    return sharded(lambda index, shards: index.update({"lm_head.weight": "../b.safetensors"}))


@case("no plain file name")
def shard_at_an_absolute_path():
    return sharded(lambda index, shards: index.update({"lm_head.weight": "/etc/passwd"}))


@case("is missing")
def shard_missing():
    return sharded(lambda index, shards: shards.pop("b.safetensors"))


@case("is not listed there")
def tensor_in_the_wrong_shard():
    return sharded(lambda index, shards: index.update({"lm_head.weight": "a.safetensors"}))


@case("b.safetensors")
def tensor_in_two_shards():
    def change(index, shards):
        shards["b.safetensors"].add("model.layers.0.input_layernorm.weight", "F32", [8], bytes(32))
        shards["a.safetensors"].add("model.layers.0.input_layernorm.weight", "F32", [8], bytes(32))
        index["model.layers.0.input_layernorm.weight"] = "a.safetensors"
    return sharded(change)


@case("model.safetensors.index.json")
def index_names_itself():
    return sharded(lambda index, shards: index.update({name: "model.safetensors.index.json" for name in index}))


@case("is not a string")
def index_of_numbers():
    return sharded(lambda index, shards: index.update({"lm_head.weight": 2}))


@case("weight_map")
def index_without_a_map():
    return {**sharded(), "model.safetensors.index.json": "{}"}


@case("nested deeper")
def index_recursion_bomb():
    return {**sharded(), "model.safetensors.index.json": '{"weight_map": ' + '{"a":' * 100_000}


@case("too many for an index")
def index_of_megabytes():
    return {**sharded(), "model.safetensors.index.json": json.dumps({"weight_map": {f"t{i}": "a" * 100 for i in range(60_000)}})}


class BadModels(support.Case):
    def write(self, files):
        path = self.folder / "model"
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return path, sum(file.stat().st_size for file in path.iterdir())

    def check(self, name, result, fragment, size, idle):
        self.assertEqual(result.code, 2, result.err[-2000:])
        self.assertIn(fragment, result.err)
        self.assertEqual(result.err.count("\n"), 1, f"not one sentence: {result.err}")
        self.assertLess(len(result.err), 600)
        self.assertLess(result.peak_bytes - idle, size + SPARE)
        self.assertLess(result.processor_seconds, SECONDS, name)
        self.assertLess(result.seconds, 20 * SECONDS, name)

    def test_the_folder_that_is_spoilt_is_good(self):
        (self.folder / "t.txt").write_text("some text to read, and some more\n")
        for files in (folder(), sharded()):
            path, _ = self.write({**files, **byte_tokenizer()})
            self.run_detent("eval", path, "--data", self.folder / "t.txt", "--context", 8)
            for file in path.iterdir():
                file.unlink()
            path.rmdir()

    def test_every_case(self):
        text = self.folder / "t.txt"
        text.write_text("some text\n")
        idle = max(support.detent("--version").peak_bytes for _ in range(3))
        slowest = heaviest = 0
        for name, (make, fragment) in CASES.items():
            with self.subTest(case=name):
                path, size = self.write(make())
                result = min((support.detent("eval", path, "--data", text) for _ in range(2)), key=lambda r: r.processor_seconds)
                slowest, heaviest = max(slowest, result.seconds), max(heaviest, result.peak_bytes - idle - size)
                self.check(name, result, fragment, size, idle)
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        support.FACTS.append(f"{len(CASES)} bad folders: the slowest took {slowest:.2f} s, the heaviest "
                             f"{max(0, heaviest) / 2**20:.0f} MB beyond its files and the {idle / 2**20:.0f} MB of a bare start")

    def test_other_commands_say_the_same(self):
        path, _ = self.write(tensor_missing())
        config = support.tiny_config(self.folder, model={"from": str(path)})
        support.write_data(self.folder)
        commands = (["generate", path, "--prompt", "a"], ["export", path, "--to", "gguf:f32", "--out", self.folder / "x"],
                    ["train", support.write_config(self.folder / "c.yaml", config)])
        for command in commands:
            with self.subTest(command=command[0]):
                self.assertIn("'model.norm.weight' is missing", self.run_detent(*command, code=2).err)
        self.assertFalse((self.folder / "x").exists())


def byte_tokenizer():
    """tokenizer.json of 256 bytes and an end of text, as detent writes it: taken from a run of no steps."""
    base = support.shared_folder()
    if not (base / "run").exists():
        support.write_data(base)
        config = support.tiny_config(base, train={"steps": 0}, output=str(base / "run"))
        result = support.detent("train", support.write_config(base / "c.yaml", config))
        assert result.code == 0, result.err
    checkpoint = support.checkpoints(base / "run")[-1]
    return {name: (checkpoint / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}


if __name__ == "__main__":
    support.main()
