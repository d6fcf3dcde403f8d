// What llama.cpp reads: names, the order of rows, metadata, the vocabulary.
#include "detent/io/gguf.h"

#include <cstring>

#include "detent/import/gguf_tokenizer.h"
#include "detent/import/model_path.h"
#include "detent/io/bytes.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

using testing::HasSubstr;

TEST(GgufNames, BothWays) {
  DecoderConfig config = tiny_config();
  config.num_hidden_layers = 12;
  for (const std::string& name : gguf_tensor_names(config)) EXPECT_EQ(from_gguf_name(*to_gguf_name(name)), name);
  EXPECT_EQ(to_gguf_name("model.layers.11.self_attn.o_proj.weight"), "blk.11.attn_output.weight");
  EXPECT_EQ(to_gguf_name("model.layers.1.post_attention_layernorm.weight"), "blk.1.ffn_norm.weight");
  EXPECT_EQ(to_gguf_name("lm_head.weight"), "output.weight");
  for (const char* name : {"model.layers.x.mlp.up_proj.weight", "model.layers..mlp.up_proj.weight", "model.layers.1",
                           "model.layers.1.mlp.up_proj.bias", "", "blk.0.attn_q.weight"})
    EXPECT_FALSE(to_gguf_name(name)) << name;
}

DecoderConfig qwen_config(const std::string& architecture) {
  DecoderConfig config = tiny_config();
  config.architecture = architecture;
  config.qkv_bias = architecture == "qwen2";
  config.qk_norm = architecture == "qwen3";
  config.rms_norm_eps = 1e-6;
  if (config.qk_norm) config.head_dim = 32;
  return config;
}

// Names of the biases and norms, and keys: convert_hf_to_gguf.py and llama-arch.cpp of ggml-org/llama.cpp.
TEST(GgufFamilies, QwenHasBiasesOrNormsAndRowsAsTheyAre) {
  const TemporaryFolder folder;
  for (const std::string architecture : {"qwen2", "qwen3"}) {
    SCOPED_TRACE(architecture);
    const ShippedModel model = tiny_model(int4(), Storage::kF16, qwen_config(architecture));
    for (const char* target : {"gguf:q4_0", "gguf:f32"}) {
      export_to(model, target, folder / "x");
      EXPECT_TRUE(verify_file(folder / "x", model).equal()) << to_text(verify_file(folder / "x", model));
      const ShippedModel back = load_model_any(folder / "x");
      expect_same_tensors(back, model);
      EXPECT_EQ(back.config, model.config);
    }
    const io::GgufReader file(folder / "x");
    EXPECT_EQ(file.get<std::string>("general.architecture"), architecture);
    EXPECT_EQ(file.get<uint32_t>(architecture + ".attention.key_length"), architecture == "qwen3" ? 32u : 16u);
    const at::Tensor& q = model.tensors.at("model.layers.0.self_attn.q_proj.weight").value;
    const auto bytes = file.tensor("blk.0.attn_q.weight").bytes;
    EXPECT_EQ(std::memcmp(bytes.data(), q.const_data_ptr(), q.nbytes()), 0);
    for (const char* name : {"blk.0.attn_q.bias", "blk.0.attn_k.bias", "blk.0.attn_v.bias"})
      EXPECT_EQ(file.find_tensor(name) != nullptr, architecture == "qwen2") << name;
    for (const char* name : {"blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight"})
      EXPECT_EQ(file.find_tensor(name) != nullptr, architecture == "qwen3") << name;
  }
}

TEST(GgufFamilies, WhatAnArchitectureHasNotInGgufIsRefused) {
  const auto refusal = [](const DecoderConfig& config) { return error_of([&] { check_fits_gguf(config); }); };
  EXPECT_NO_THROW(check_fits_gguf(qwen_config("qwen2")));
  DecoderConfig mistral = tiny_config(), biases = qwen_config("qwen3"), windows = qwen_config("qwen2"),
                scaled = qwen_config("qwen3");
  mistral.architecture = "mistral";
  biases.qkv_bias = biases.output_bias = true;
  windows.sliding_window = 32;
  windows.sliding_layers = {true};
  scaled.rope_scaling = {RopeType::kLinear, 2};
  EXPECT_THAT(refusal(mistral), HasSubstr("none of llama, qwen2 and qwen3"));
  EXPECT_THAT(refusal(biases), HasSubstr("biases"));
  EXPECT_THAT(refusal(windows), HasSubstr("sliding windows"));
  EXPECT_THAT(refusal(scaled), HasSubstr("rotary embedding"));
}

// The converter's own words: reshape(heads, 2, d / 2, ...).swapaxes(1, 2).
TEST(GgufRows, OrderIsTheConvertersPermutation) {
  const DecoderConfig config = tiny_config();
  const int64_t d = config.head_size();
  for (const auto& [name, heads] : {std::pair{"model.layers.0.self_attn.q_proj.weight", config.num_attention_heads},
                                    std::pair{"model.layers.0.self_attn.k_proj.weight", config.kv_heads()}}) {
    const at::Tensor rows = at::arange(heads * d, at::kLong);
    const at::Tensor expected = rows.reshape({heads, 2, d / 2}).transpose(1, 2).reshape({-1}).contiguous();
    const auto order = gguf_row_order(name, config);
    ASSERT_EQ(static_cast<int64_t>(order.size()), heads * d);
    for (int64_t i = 0; i < heads * d; ++i) EXPECT_EQ(order[i], expected[i].item<int64_t>());
  }
  EXPECT_TRUE(gguf_row_order("model.layers.0.self_attn.v_proj.weight", config).empty());
}

class GgufFile : public testing::Test {
 protected:
  GgufFile() : model_(tiny_model(int4(), Storage::kF16)) {
    add_tokenizer(model_, folder_ / "tiny-run");
    export_to(model_, "gguf:q4_0", path());
  }
  fs::path path() const { return folder_ / "x.gguf"; }
  // The file again with other values, its tensors as they are.
  fs::path rewritten(const std::function<void(std::vector<io::GgufKeyValue>&)>& change) const {
    const io::GgufReader file(path());
    auto values = file.values();
    change(values);
    std::vector<io::GgufTensorInfo> infos;
    for (const io::GgufTensor& tensor : file.tensors()) infos.push_back({tensor.name, tensor.type, tensor.ne});
    io::GgufWriter writer(folder_ / "y.gguf", values, infos);
    for (const io::GgufTensor& tensor : file.tensors()) writer.write(tensor.name, tensor.bytes);
    writer.finish();
    return folder_ / "y.gguf";
  }
  static void set(std::vector<io::GgufKeyValue>& values, const std::string& key, const io::GgufValue& value) {
    for (auto& entry : values)
      if (entry.first == key) entry.second = value;
  }

  TemporaryFolder folder_;
  ShippedModel model_;
};

TEST_F(GgufFile, Metadata) {
  const io::GgufReader file(path());
  EXPECT_EQ(file.get<std::string>("general.architecture"), "llama");
  EXPECT_EQ(file.get<std::string>("general.name"), "tiny-run");
  EXPECT_EQ(file.get<std::string>("general.size_label"), "70K");
  EXPECT_EQ(file.get<uint32_t>("general.file_type"), 2u);
  EXPECT_EQ(file.get<uint32_t>("general.quantization_version"), 2u);
  EXPECT_EQ(file.get<uint32_t>("llama.attention.head_count_kv"), 2u);
  EXPECT_EQ(file.get<uint32_t>("llama.rope.dimension_count"), 16u);
  EXPECT_EQ(file.get<float>("llama.rope.freq_base"), 500000.0f);
  EXPECT_EQ(file.get<float>("llama.attention.layer_norm_rms_epsilon"), 1e-5f);
  const io::GgufTensor& down = file.tensor("blk.0.ffn_down.weight");
  EXPECT_EQ(down.ne, (std::vector<int64_t>{128, 64}));
}

TEST_F(GgufFile, Vocabulary) {
  const io::GgufReader file(path());
  EXPECT_EQ(file.get<std::string>("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(file.get<std::vector<std::string>>("tokenizer.ggml.tokens").size(), 257u);
  EXPECT_EQ(file.get<std::vector<std::string>>("tokenizer.ggml.tokens")[' '], "\u0120");
  EXPECT_EQ(file.get<std::vector<int32_t>>("tokenizer.ggml.token_type")[256], 3);
  EXPECT_TRUE(file.get<std::vector<std::string>>("tokenizer.ggml.merges").empty());
  EXPECT_EQ(file.get<uint32_t>("tokenizer.ggml.eos_token_id"), 256u);
  EXPECT_EQ(load_model_tokenizer(path())->name(), "bytes");
}

TEST(GgufVocabulary, IsPaddedToTheTableAndNeverCut) {
  const auto values = tokenizer_metadata(byte_tokenizer().get(), 260);
  const auto& tokens = *values[2].second.get_if<std::vector<std::string>>();
  EXPECT_EQ(tokens.size(), 260u);
  EXPECT_EQ(tokens[259], "[PAD259]");
  EXPECT_EQ(values[3].second.get_if<std::vector<int32_t>>()->at(259), 5);
  EXPECT_THAT(error_of([] { tokenizer_metadata(byte_tokenizer().get(), 256); }),
              HasSubstr("257 tokens, the model only"));
}

// The golden tokenizers (tests/data/golden): those that the file's words describe, and those that it would misread.
TEST(GgufVocabulary, GivesTheTokenizersIdsOrIsRefused) {
  const auto write = [](const char* name) {
    const auto tokenizer =
        make_tokenizer(fmt::format("{}/tests/data/golden/tokenizers/{}.json", DETENT_SOURCE_DIR, name));
    tokenizer_metadata(tokenizer.get(), 1000);
  };
  for (const char* name : {"llama3", "qwen2-nfc", "smollm", "llama2", "metaspace-first"})
    EXPECT_NO_THROW(write(name)) << name;
  EXPECT_THAT(error_of([&] { write("deepseek3"); }), HasSubstr("no name for the way"));
  for (const char* name : {"words", "fused", "metaspace-never"})
    EXPECT_THAT(error_of([&] { write(name); }), HasSubstr("cannot say how the tokenizer")) << name;
}

TEST(GgufVocabulary, SaysWhereSpacesCome) {
  const auto tokenizer = make_tokenizer(std::string(DETENT_SOURCE_DIR) + "/tests/data/golden/tokenizers/llama2.json");
  const auto values = tokenizer_metadata(tokenizer.get(), 1000);
  const auto found = std::ranges::find(values, "tokenizer.ggml.add_space_prefix", &io::GgufKeyValue::first);
  ASSERT_NE(found, values.end());
  EXPECT_TRUE(*found->second.get_if<bool>());
}

TEST_F(GgufFile, ReadBackAsAModel) {
  const ShippedModel back = load_model_any(path());
  expect_same_tensors(back, model_);
  EXPECT_EQ(back.config, to_json(tiny_config()));
  EXPECT_TRUE(back.record.layers.empty());
  export_to(back, "safetensors:dequantized", folder_ / "dense");  // with the tokenizer out of the file
  EXPECT_TRUE(fs::exists(folder_ / "dense" / "tokenizer.json"));
  EXPECT_TRUE(verify_file(folder_ / "dense", model_).equal());
}

TEST_F(GgufFile, UnknownOrOddMetadataIsRefused) {
  const auto error = [&](const std::function<void(std::vector<io::GgufKeyValue>&)>& change) {
    const fs::path changed = rewritten(change);
    return error_of([&] { load_model_any(changed); });
  };
  EXPECT_THAT(error([](auto& v) {
                v.push_back({"llama.expert_count", uint32_t{8}});
              }),
              HasSubstr("llama.expert_count"));
  EXPECT_THAT(error([](auto& v) {
                v.push_back({"llama.rope.scaling.type", std::string("yarn")});
              }),
              HasSubstr("llama.rope.scaling.type"));
  EXPECT_THAT(error([](auto& v) { set(v, "general.architecture", std::string("gemma2")); }), HasSubstr("gemma2"));
  EXPECT_THAT(error([](auto& v) { set(v, "llama.rope.dimension_count", uint32_t{8}); }),
              HasSubstr("llama.rope.dimension_count = 8"));
  EXPECT_THAT(error([](auto& v) { set(v, "llama.attention.head_count", uint32_t{0}); }),
              HasSubstr("num_attention_heads"));
  EXPECT_THAT(error([](auto& v) { set(v, "llama.block_count", uint32_t{2}); }), HasSubstr("model.layers.1"));
  EXPECT_THAT(error([](auto& v) { set(v, "llama.attention.head_count", uint32_t{8}); }), HasSubstr("asks for"));
  EXPECT_THAT(error([](auto& v) { std::erase_if(v, [](auto& e) { return e.first == "llama.block_count"; }); }),
              HasSubstr("llama.block_count"));
}

TEST_F(GgufFile, DamagedFilesAreErrors) {
  const std::string whole = read_raw(path());
  for (const size_t size : {size_t{3}, size_t{4}, size_t{40}, size_t{2000}, whole.size() / 2, whole.size() - 1}) {
    write_raw(folder_ / "cut.gguf", whole.substr(0, size));
    error_of([&] { load_model_any(folder_ / "cut.gguf"); });
    error_of([&] { verify_file(folder_ / "cut.gguf", model_); });
  }
}

}  // namespace
}  // namespace detent::test
