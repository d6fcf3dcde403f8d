// llama2.c checkpoints and GGUF files as Hugging Face folders: values, arithmetic, tokenizers, refusals.
#include "detent/import/convert.h"

#include <ATen/ATen.h>

#include "detent/architectures/stop_ids.h"
#include "detent/format/ggml_blocks.h"
#include "detent/import/gguf_llama.h"
#include "detent/import/model_path.h"
#include "detent/quant/tensor_file.h"
#include "detent/train/model_folder.h"
#include "tests/deploy/support.h"
#include "tests/support/golden.h"

namespace detent::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const char* const kLlama2c[] = {"v0", "v0_untied", "v1", "v1_untied"};
fs::path llama2c(const std::string& name) { return golden_path("llama2c") / name; }

nlohmann::json read_json_file(const fs::path& path) { return parse_json(read_raw(path), path.string()); }

at::Tensor logits_of(const fs::path& folder, const at::Tensor& ids) {
  const at::NoGradGuard guard;
  return load_latent_model(folder.string())->logits(ids.unsqueeze(0)).squeeze(0);
}

TEST(Convert, Llama2cGivesItsOwnLogits) {
  const Golden golden("llama2c/llama2c.safetensors");
  for (const std::string name : kLlama2c) {
    SCOPED_TRACE(name);
    const TemporaryFolder folder;
    const ConvertReport report = convert_model(llama2c(name + ".bin"), folder / "x");
    EXPECT_EQ(report.format, "llama2.c");
    EXPECT_EQ(report.dtype, "float32");
    EXPECT_THAT(report.notes, IsEmpty());
    const at::Tensor got = logits_of(folder / "x", golden.tensor(name + ".input_ids"));
    EXPECT_LT((got - golden.tensor(name + ".logits")).abs().max().item<float>(), 2e-5f);
    EXPECT_EQ(read_json_file(folder / "x" / "config.json")["tie_word_embeddings"], !name.ends_with("untied"));
  }
}

// The file itself is a model, too: the same tensors, tokenizer and ids that end a text as the folder made of it.
TEST(Convert, Llama2cIsAModelWithoutConversion) {
  const Golden golden("llama2c/llama2c.safetensors");
  for (const std::string name : kLlama2c) {
    SCOPED_TRACE(name);
    const TemporaryFolder folder;
    convert_model(llama2c(name + ".bin"), folder / "x");
    const ShippedModel direct = load_model_any(llama2c(name + ".bin")), converted = load_model_any(folder / "x");
    expect_same_tensors(direct, converted);
    EXPECT_EQ(direct.config["eos_token_id"], (std::vector<int32_t>{1, 2}));
    const at::NoGradGuard guard;
    const auto model = load_latent_model(llama2c(name + ".bin"));
    const at::Tensor ids = golden.tensor(name + ".input_ids"), got = model->logits(ids.unsqueeze(0)).squeeze(0);
    EXPECT_LT((got - golden.tensor(name + ".logits")).abs().max().item<float>(), 2e-5f);
    ASSERT_TRUE(has_tokenizer(llama2c(name + ".bin")));
    const std::string text = "Once upon a time";
    EXPECT_EQ(open_tokenizer(llama2c(name + ".bin"))->encode(text), load_tokenizer(folder / "x")->encode(text));
  }
}

TEST(Convert, Llama2cTokenizersAreFoundByTheirNames) {
  const TemporaryFolder folder;
  const fs::path model = folder / "model.bin";
  fs::copy_file(llama2c("v1.bin"), model);
  EXPECT_FALSE(has_tokenizer(model));
  EXPECT_THAT(error_of([&] { load_model_tokenizer(model); }), HasSubstr("no tokenizer.bin lies beside"));
  const int64_t vocab_size = load_latent_model(model)->config().vocab_size;
  fs::copy_file(llama2c("tokenizer.bin"), folder / fmt::format("tok{}.bin", vocab_size));
  EXPECT_TRUE(has_tokenizer(model));
  EXPECT_EQ(load_model_tokenizer(model)->vocab_size(), vocab_size);
}

TEST(Convert, Llama2cTokenizerGivesItsOwnIds) {
  const Golden golden("llama2c/llama2c.safetensors");
  const TemporaryFolder folder;
  convert_model(llama2c("v0.bin"), folder / "x");
  const auto tokenizer = load_tokenizer((folder / "x").string());
  int texts = 0;
  for (const auto& one : golden.cases()) {
    if (!one.contains("text")) continue;
    const std::string text = one.at("text"), id = one.at("id");
    SCOPED_TRACE(in_quotes(text));
    const at::Tensor expected = golden.tensor(id + ".ids").to(at::kInt);
    const std::vector<int32_t> ids = tokenizer->encode_as_text(text);  // run.c knows no special tokens in text
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), expected.const_data_ptr<int32_t>(),
                           expected.const_data_ptr<int32_t>() + expected.numel()));
    EXPECT_EQ(tokenizer->decode(ids), text);
    ++texts;
  }
  EXPECT_GE(texts, 9);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  // Text that begins with a BOS of its own is what such a model continues, and it ends texts, too.
  EXPECT_EQ(stop_ids(read_json_file(folder / "x" / "generation_config.json"), "x"), (std::vector<int32_t>{1, 2}));
}

TEST(Convert, Llama2cWithoutATokenizerSaysSo) {
  const TemporaryFolder folder;
  fs::copy_file(llama2c("v1.bin"), folder / "model.bin");
  const ConvertReport report = convert_model(folder / "model.bin", folder / "x");
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_THAT(report.notes[0], HasSubstr("--tokenizer"));
  EXPECT_THAT(io::test::names_in(folder / "x"), UnorderedElementsAre("config.json", "model.safetensors"));
  convert_model(folder / "model.bin", folder / "y", llama2c("tokenizer.bin"));
  EXPECT_TRUE(fs::exists(folder / "y" / "tokenizer.json"));
}

TEST(Convert, TokenizersThatAreNotLlama2cs) {
  const TemporaryFolder folder;
  const std::string file = read_raw(llama2c("tokenizer.bin"));
  const auto why = [&](const std::string& bytes) {
    write_raw(folder / "t.bin", bytes);
    return error_of([&] { convert_model(llama2c("v0.bin"), folder / "x", folder / "t.bin"); });
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = file;
    return changed.replace(changed.find(from), from.size(), to);
  };
  EXPECT_THAT(why("nonsense"), HasSubstr("t.bin"));
  EXPECT_THAT(why(with("\n<s>\n", "<bos>")), HasSubstr("token 1 is '<bos>', but run.c takes it for"));
  EXPECT_THAT(why(with("<0x41>", "<0x42>")), HasSubstr("token 68"));
  EXPECT_THAT(why(with("\xe2\x80\x93", "\xe2\x80\xff")), HasSubstr("is not UTF-8"));
  EXPECT_THAT(why(with("\xe2\x80\x93", "zzz")), HasSubstr("'zzz', which no two tokens make"));
  EXPECT_THAT(error_of([&] { convert_model(llama2c("v0.bin"), folder / "x", folder / "none"); }), HasSubstr("none"));
  EXPECT_FALSE(fs::exists(folder / "x"));
}

TEST(Convert, WhatIsNoCheckpoint) {
  const TemporaryFolder folder;
  write_raw(folder / "text.bin", "to be or not to be, that is the question");
  fs::create_directory(folder / "full");
  write_raw(folder / "full" / "precious", "x");
  EXPECT_THAT(error_of([&] { convert_model(folder / "none", folder / "x"); }), HasSubstr("there is no file"));
  EXPECT_THAT(error_of([&] { convert_model(folder / "text.bin", folder / "x"); }),
              HasSubstr("neither a GGUF file nor"));
  EXPECT_THAT(error_of([&] { convert_model(folder / "full", folder / "x"); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { convert_model(llama2c("v0.bin"), folder / "full"); }), HasSubstr("exists already"));
  EXPECT_THAT(io::test::names_in(folder.path()), UnorderedElementsAre("full", "text.bin"));
}

TEST(Convert, ADamagedCheckpointLeavesNothing) {
  const TemporaryFolder folder;
  std::string file = read_raw(llama2c("v1.bin"));
  const uint32_t nan = 0x7FC00000;
  std::memcpy(&file[file.size() - 400], &nan, 4);
  write_raw(folder / "nan.bin", file);
  EXPECT_THAT(error_of([&] { convert_model(folder / "nan.bin", folder / "x"); }), HasSubstr("not finite"));
  EXPECT_THAT(io::test::names_in(folder.path()), UnorderedElementsAre("nan.bin"));
}

// A GGUF file with one projection in another type.
class GgufTypes : public testing::TestWithParam<const GgmlBlock*> {
 protected:
  static constexpr const char* kTensor = "blk.0.ffn_up.weight";
  static fs::path write(const fs::path& path, const GgmlBlock& block, const std::string& bytes) {
    const ShippedModel plain = tiny_model(std::nullopt, Storage::kF32, wide_config());
    export_to(plain, "gguf:f32", path / "plain.gguf");
    const io::GgufReader file(path / "plain.gguf");
    std::vector<io::GgufTensorInfo> infos;
    for (const io::GgufTensor& tensor : file.tensors())
      infos.push_back({tensor.name, tensor.name == kTensor ? io::find_ggml_type(block.name) : tensor.type, tensor.ne});
    io::GgufWriter writer(path / "x.gguf", file.values(), infos);
    for (const io::GgufTensor& tensor : file.tensors())
      writer.write(tensor.name, tensor.name == kTensor ? io::as_bytes(bytes) : tensor.bytes);
    writer.finish();
    return path / "x.gguf";
  }
};

TEST_P(GgufTypes, ValuesAreTheGgufPackages) {
  const GgmlBlock& block = *GetParam();
  const Golden golden("blocks.safetensors");
  const at::Tensor packed = golden.tensor(std::string("read.") + block.name + ".packed"),
                   value = golden.tensor(std::string("read.") + block.name + ".value");
  int64_t row = 0;  // one of small numbers
  while (!(value[row].isfinite().all().item<bool>() && value[row].abs().max().item<float>() < 1000 &&
           value[row].abs().max().item<float>() > 1e-3f))
    ++row;
  const int64_t count = 256 * 256 / block.elements;
  const at::Tensor bytes = packed[row].repeat({count}).contiguous();
  const std::string text(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  const TemporaryFolder folder;
  const ConvertReport report = convert_model(write(folder.path(), block, text), folder / "x");
  EXPECT_EQ(report.dtype, "float32");
  const TensorMap tensors = read_float_tensors(folder / "x");
  const at::Tensor expected = value[row].repeat({count}).view({256, 256});
  EXPECT_TRUE(same_bits(tensors.at("model.layers.0.mlp.up_proj.weight"), expected));
  const ShippedModel plain = tiny_model(std::nullopt, Storage::kF32, wide_config());
  for (const auto& [name, tensor] : plain.tensors) {
    if (name != "model.layers.0.mlp.up_proj.weight") {
      EXPECT_TRUE(same_bits(tensors.at(name), tensor.value)) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufTypes, testing::ValuesIn(ggml_blocks().begin(), ggml_blocks().end()),
                         [](const auto& p) { return std::string(p.param->name); });

TEST(Convert, GgufInItsNarrowestType) {
  const TemporaryFolder folder;
  for (const auto& [storage, dtype] :
       {std::pair{Storage::kF16, "float16"}, {Storage::kBf16, "bfloat16"}, {Storage::kF32, "float32"}}) {
    SCOPED_TRACE(dtype);
    const ShippedModel model = tiny_model(std::nullopt, storage);
    export_to(model, "gguf:f32", folder / "x.gguf");
    EXPECT_EQ(convert_model(folder / "x.gguf", folder / "x").dtype, dtype);
    EXPECT_TRUE(verify_file(folder / "x", model).equal());
    EXPECT_EQ(read_json_file(folder / "x" / "config.json")["dtype"], dtype);
    expect_same_tensors(load_model_any(folder / "x"), model);
    fs::remove_all(folder / "x");
  }
}

TEST(Convert, GgufWithItsTokenizer) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  add_tokenizer(model, folder / "source");
  export_to(model, "gguf:q4_0", folder / "x.gguf");
  convert_model(folder / "x.gguf", folder / "x");
  const auto tokenizer = load_tokenizer((folder / "x").string());
  const std::string text = "tabs\tand \xff bytes";
  EXPECT_EQ(tokenizer->encode("caf\u00e9"), byte_tokenizer()->encode("caf\u00e9"));
  EXPECT_EQ(tokenizer->eos(), 256);
  EXPECT_EQ(stop_ids(read_json_file(folder / "x" / "generation_config.json"), "x"), std::vector<int32_t>{256});
  EXPECT_THAT(error_of([&] { convert_model(folder / "x.gguf", folder / "y", folder / "t"); }),
              HasSubstr("--tokenizer has no effect"));
}

TEST(Convert, GgufTensorsThatDoNotFitTheConfig) {
  const TemporaryFolder folder;
  export_to(tiny_model(std::nullopt), "gguf:f32", folder / "whole.gguf");
  const io::GgufReader file(folder / "whole.gguf");
  const auto why = [&](const std::function<void(std::vector<io::GgufTensorInfo>&)>& change) {
    std::vector<io::GgufTensorInfo> infos;
    for (const io::GgufTensor& tensor : file.tensors()) infos.push_back({tensor.name, tensor.type, tensor.ne});
    change(infos);
    io::GgufWriter writer(folder / "x.gguf", file.values(), infos);
    for (const io::GgufTensorInfo& info : infos)
      writer.write(info.name, std::vector<std::byte>(*io::ggml_bytes(*info.type, info.ne)));
    writer.finish();
    return error_of([&] { convert_model(folder / "x.gguf", folder / "x"); });
  };
  EXPECT_THAT(why([](auto& infos) { infos.erase(infos.begin() + 2); }), HasSubstr("the file has no tensor"));
  EXPECT_THAT(why([](auto& infos) { infos[0].ne[1] = 200; }), HasSubstr("token_embd.weight is [200, 64]"));
  EXPECT_THAT(why([](auto& infos) { infos[2].ne = {64 * 64}; }), HasSubstr("its config asks for [64, 64]"));
  EXPECT_THAT(why([](auto& infos) {
                infos.push_back({"blk.7.ffn_up.weight", infos[0].type, {4}});
              }),
              HasSubstr("blk.7.ffn_up.weight has no place"));
  EXPECT_THAT(why([](auto& infos) { infos[2].type = io::find_ggml_type("I32"); }), HasSubstr("of type I32"));
  EXPECT_FALSE(fs::exists(folder / "x"));
}

}  // namespace
}  // namespace detent::test
