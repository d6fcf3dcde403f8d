// Weights trained with two-level scales are in the file bit for bit, and what is read from a file can be written again.
#include "detent/format/two_level.h"
#include "detent/io/bytes.h"
#include "detent/io/gguf.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

const std::pair<const char*, QuantSpec> kTrained[] = {
    {"q2_k", spec("midrise", 2, "16", ScaleRule::kAbsmaxFull, ScaleFormat::kQ2K)},
    {"q2_k", spec("int", 2, "16", ScaleRule::kMean, ScaleFormat::kQ2K)},
    {"q2_k", spec("int_high", 2, "32", ScaleRule::kLearned, ScaleFormat::kQ2K)},
    {"q3_k", spec("int", 3, "16", ScaleRule::kAbsmaxSigned, ScaleFormat::kQ3K)},
    {"q3_k", spec("int", 3, "32", ScaleRule::kLearned, ScaleFormat::kQ3K)},
    {"q4_k", spec("int", 4, "32", ScaleRule::kAbsmax, ScaleFormat::kQ4K)},
    {"q4_k", spec("int", 4, "32", ScaleRule::kLearned, ScaleFormat::kQ4K)}};

TEST(KQuants, TrainedScalesAreInTheFile) {
  const TemporaryFolder folder;
  for (const auto& [type, trained] : kTrained) {
    SCOPED_TRACE(trained.name());
    const ShippedModel model = tiny_model(trained, Storage::kF16, wide_config());
    const std::string name = std::string("gguf:") + type;
    export_to(model, name, folder / "x.gguf");
    EXPECT_TRUE(verify_file(folder / "x.gguf", model).equal()) << to_text(verify_file(folder / "x.gguf", model));
    std::string block = type;
    for (char& c : block) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(io::GgufReader(folder / "x.gguf").tensor("blk.0.ffn_up.weight").type->name, block);
    fs::remove(folder / "x.gguf");
  }
}

// Groups of very different size: most of their scales are small integers, some are zero.
TEST(KQuants, UnevenGroups) {
  const TemporaryFolder folder;
  for (const auto& [type, trained] : kTrained) {
    if (trained.scale_rule == ScaleRule::kLearned) continue;
    SCOPED_TRACE(trained.name());
    ShippedModel model = tiny_model(trained, Storage::kF16, wide_config());
    ShippedTensor& tensor = model.tensors["model.layers.0.mlp.up_proj.weight"];
    std::mt19937 random(5);
    at::Tensor latent = random_tensor({256, 256}, random);
    latent.mul_(at::exp(at::linspace(-12, 3, 256)).view({1, 256}));
    tensor.quantized = quantize(latent, trained);
    tensor.value = dequantize(*tensor.quantized);
    export_to(model, std::string("gguf:") + type, folder / "x.gguf");
    EXPECT_TRUE(verify_file(folder / "x.gguf", model).equal());
    fs::remove(folder / "x.gguf");
  }
}

TEST(KQuants, AFileOfThemIsWrittenAgain) {
  const TemporaryFolder folder;
  for (const auto& [type, trained] : kTrained) {
    SCOPED_TRACE(trained.name());
    const std::string target = std::string("gguf:") + type;
    const ShippedModel model = tiny_model(trained, Storage::kF32, wide_config());
    export_to(model, target, folder / "a.gguf");
    export_to(load_model_any(folder / "a.gguf"), target, folder / "b.gguf");
    EXPECT_TRUE(verify_file(folder / "b.gguf", model).equal());
    for (const char* name : {"a.gguf", "b.gguf"}) fs::remove(folder / name);
  }
}

// compressed-tensors has codes and scales of one level; the two levels are found again.
TEST(KQuants, ThroughAFileOfOneLevel) {
  const TemporaryFolder folder;
  for (const auto& [type, trained] : kTrained) {
    SCOPED_TRACE(trained.name());
    const ShippedModel model = tiny_model(trained, Storage::kF16, wide_config());
    export_to(model, "compressed-tensors", folder / "a");
    export_to(load_model_any(folder / "a"), std::string("gguf:") + type, folder / "b");
    EXPECT_TRUE(verify_file(folder / "b", model).equal());
    for (const char* name : {"a", "b"}) fs::remove_all(folder / name);
  }
}

// Groups that use few of the levels lie on several scales, of either sign; only some are multiples of one super-scale.
TEST(KQuants, GroupsOfFewLevels) {
  const TemporaryFolder folder;
  ShippedModel model =
      tiny_model(spec("int", 3, "16", ScaleRule::kLearned, ScaleFormat::kQ3K), Storage::kF16, wide_config());
  const std::vector<std::vector<int>> used = {{-2, 2}, {-2, 0, 2},     {2}, {-3, 3}, {0},
                                              {-4, 0}, {-4, -2, 0, 2}, {1}, {-1, 0}};
  std::mt19937 random(9);
  for (const char* name : {"model.layers.0.mlp.up_proj.weight", "model.layers.0.self_attn.q_proj.weight"}) {
    Quantized& quantized = *model.tensors[name].quantized;
    auto* codes = quantized.codes.mutable_data_ptr<int8_t>();
    auto* scales = quantized.scales.mutable_data_ptr<float>();
    for (int64_t g = 0; g < quantized.scales.numel(); ++g) {
      const auto& levels = used[random() % used.size()];
      scales[g] = (1 + static_cast<float>(g / 16) / 1024) * static_cast<float>(static_cast<int>(random() % 64) - 32);
      for (int j = 0; j < 16; ++j) codes[16 * g + j] = static_cast<int8_t>(levels[random() % levels.size()]);
    }
    model.tensors[name].value = dequantize(quantized);
  }
  export_to(model, "gguf:q3_k", folder / "a");
  ASSERT_TRUE(verify_file(folder / "a", model).equal());
  export_to(model, "gguf:f32", folder / "b");
  export_to(load_model_any(folder / "b"), "gguf:q3_k", folder / "c");
  EXPECT_TRUE(verify_file(folder / "c", model).equal());
  export_to(model, "compressed-tensors", folder / "d");
  export_to(load_model_any(folder / "d"), "gguf:q3_k", folder / "e");
  EXPECT_TRUE(verify_file(folder / "e", model).equal());
}

// Whatever a block holds, minimums of their own and negative super-scales too.
TEST(KQuants, BlocksOfOtherProgramsAreWrittenAgainAsTheyStand) {
  const TemporaryFolder folder;
  struct Case {
    const char* target;
    size_t block_bytes;
    std::vector<size_t> halves;  // where in a block its 16-bit floats are (ggml-common.h)
  };
  for (const auto& [target, block_bytes, halves] :
       {Case{"gguf:q2_k", 84, {80, 82}}, Case{"gguf:q3_k", 110, {108}}, Case{"gguf:q4_k", 144, {0, 2}}}) {
    SCOPED_TRACE(target);
    const QuantSpec trained = find_target_rules(target).preferred().value();
    export_to(tiny_model(trained, Storage::kF16, wide_config()), target, folder / "a.gguf");
    std::string bytes = read_raw(folder / "a.gguf");
    const std::string packed(io::as_text(io::GgufReader(folder / "a.gguf").tensor("blk.0.attn_q.weight").bytes));
    const size_t begin = bytes.find(packed);
    std::mt19937 random(3);
    for (size_t i = 0; i < packed.size(); ++i) bytes[begin + i] = static_cast<char>(random());
    for (size_t block = 0; block < packed.size(); block += block_bytes)
      for (const size_t half : halves) bytes[begin + block + half + 1] &= static_cast<char>(0xbf);  // finite
    write_raw(folder / "a.gguf", bytes);
    export_to(open_model_any(folder / "a.gguf"), target, folder / "b.gguf");
    EXPECT_EQ(io::as_text(io::GgufReader(folder / "b.gguf").tensor("blk.0.attn_q.weight").bytes),
              bytes.substr(begin, packed.size()));
    for (const char* name : {"a.gguf", "b.gguf"}) fs::remove(folder / name);
  }
}

}  // namespace
}  // namespace detent::test
