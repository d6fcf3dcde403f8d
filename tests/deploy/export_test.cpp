// What is trained is what is in the file: every grid into every target that accepts it, read back bit for bit.
#include <sys/resource.h>

#include <csignal>
#include <set>

#include "detent/io/gguf.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void check_round_trip(const ShippedModel& model, const ExportTarget& target, const fs::path& path) {
  export_model(model, target, path.string());
  const VerifyReport report = verify_file(path, model);
  EXPECT_TRUE(report.equal()) << to_text(report);
  expect_same_tensors(load_model_any(path), model);
  fs::remove_all(path);
}

// Every grid under three rules in groups of a block, and in one other granularity in turn.
std::vector<QuantSpec> specs_to_ship() {
  std::vector<QuantSpec> specs;
  const char* const others[] = {"64", "row", "tensor", "16"};
  for (const Grid& grid : every_grid()) {
    const Granularity block = parse_granularity("32"), other = parse_granularity(others[specs.size() % 4]);
    specs.push_back({grid, block, any_rule(grid), ScaleFormat::kFp16});
    specs.push_back({grid, block, ScaleRule::kLearned, ScaleFormat::kFp16});
    if (rule_fits(grid, ScaleRule::kAbsmaxSigned))  // negative scales, so -0
      specs.push_back({grid, block, ScaleRule::kAbsmaxSigned, ScaleFormat::kFp16});
    specs.push_back({grid, other, any_rule(grid), ScaleFormat::kFp16Bf16});
  }
  specs.push_back(spec("int_high", 2, "64", ScaleRule::kAbsmaxSigned));
  specs.push_back(spec("ternary", 2, "64", ScaleRule::kMean));
  specs.push_back(spec("binary", 1, "row", ScaleRule::kMean));
  for (const char* group : {"32", "64", "row", "tensor"})
    specs.push_back(spec("e2m1", 4, group, ScaleRule::kAbsmaxFull, ScaleFormat::kE8M0));
  specs.push_back(spec("e2m1", 4, "32", ScaleRule::kLearned, ScaleFormat::kE8M0));
  return specs;
}

// Groups that need rows of 256.
std::vector<QuantSpec> wide_specs_to_ship() {
  return {spec("binary", 1, "128", ScaleRule::kMean),
          spec("binary", 1, "row", ScaleRule::kLearned),
          spec("binary", 1, "tensor", ScaleRule::kAbsmax),
          spec("midrise", 1, "128", ScaleRule::kAbsmaxFull),
          spec("midrise", 1, "256", ScaleRule::kLearned),
          spec("ternary", 2, "128", ScaleRule::kAbsmax),
          spec("ternary", 2, "256", ScaleRule::kMean),
          spec("ternary", 2, "row", ScaleRule::kLearned),
          spec("ternary", 2, "tensor", ScaleRule::kMean, ScaleFormat::kFp16Bf16),
          spec("midrise", 2, "16", ScaleRule::kAbsmaxFull, ScaleFormat::kQ2K),
          spec("int", 3, "16", ScaleRule::kAbsmaxSigned, ScaleFormat::kQ3K),
          spec("int", 3, "row", ScaleRule::kAbsmaxSigned),
          spec("int", 4, "32", ScaleRule::kAbsmax, ScaleFormat::kQ4K),
          spec("int", 4, "row", ScaleRule::kAbsmax),
          spec("int", 4, "tensor", ScaleRule::kLearned)};
}

TEST(Export, EveryAcceptedPairOfGridAndTargetIsBitEqual) {
  const TemporaryFolder folder;
  std::map<std::string, int> accepted;
  const auto ship = [&](const QuantSpec& asked, const DecoderConfig& config) {
    const ShippedModel model = tiny_model(asked, Storage::kF16, config);
    for (const auto& target : export_targets()) {
      SCOPED_TRACE(asked.name() + " -> " + target->name());
      if (export_refusal(*target, model)) {
        EXPECT_THROW(export_model(model, *target, folder / "x"), Error);
        continue;
      }
      check_round_trip(model, *target, folder / "x");
      accepted[target->name()] += 1;
    }
  };
  for (const QuantSpec& asked : specs_to_ship()) ship(asked, tiny_config());
  for (const QuantSpec& asked : wide_specs_to_ship()) ship(asked, wide_config());
  for (const auto& target : export_targets()) EXPECT_GE(accepted[target->name()], 3) << target->name();
}

TEST(Export, StorageOfWhatIsNotQuantized) {
  const TemporaryFolder folder;
  for (const Storage storage : {Storage::kF32, Storage::kF16, Storage::kBf16, Storage::kQ8_0})
    for (const char* target : {"gguf:q4_0", "gguf:f32", "safetensors:dequantized"}) {
      SCOPED_TRACE(storage_name(storage) + " " + target);
      check_round_trip(tiny_model(int4(), storage), find_export_target(target), folder / "x");
    }
  export_to(tiny_model(int4(), Storage::kQ8_0), "gguf:q4_0", folder / "x.gguf");
  const io::GgufReader file(folder / "x.gguf");
  EXPECT_EQ(file.tensor("token_embd.weight").type->name, "Q8_0");
  EXPECT_EQ(file.tensor("output.weight").type->name, "Q8_0");
  EXPECT_EQ(file.tensor("output_norm.weight").type->name, "F32");
  EXPECT_EQ(file.tensor("blk.0.ffn_up.weight").type->name, "Q4_0");
}

// A scale that is subnormal was rounded so far that its codes no longer reach 127, and the values alone must do.
TEST(Export, TinyValuesUnderQ8_0) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  model.record.unquantized = Storage::kQ8_0;
  at::Tensor& table = model.tensors["model.embed_tokens.weight"].value;
  table = stored_value(table * 1e-4f, Storage::kQ8_0);
  check_round_trip(model, find_export_target("gguf:q4_0"), folder / "x.gguf");
}

TEST(Export, ShapesOfLlama) {
  const TemporaryFolder folder;
  for (const int64_t kv : {1, 2, 4})
    for (const bool tied : {false, true})
      for (const int64_t head_dim : {16, 32}) {
        DecoderConfig config = tiny_config();
        config.num_key_value_heads = kv;
        config.head_dim = head_dim;
        config.num_hidden_layers = 2;
        config.tie_word_embeddings = tied;
        SCOPED_TRACE(fmt::format("kv {} head_dim {} tied {}", kv, head_dim, tied));
        const ShippedModel model = tiny_model(int4(), Storage::kF16, config);
        for (const char* target : {"gguf:q4_0", "safetensors:dequantized"})
          check_round_trip(model, find_export_target(target), folder / "x");
      }
}

TEST(Export, RotatedBackGoesToDenseTargetsOnly) {
  const TemporaryFolder folder;
  const ShippedModel model =
      tiny_model(spec("midrise", 4, "row", ScaleRule::kRms, ScaleFormat::kFp32, Rotation::kHadamard));
  std::vector<std::string> accepted;
  for (const auto& target : export_targets())
    if (!export_refusal(*target, model)) {
      accepted.push_back(target->name());
      check_round_trip(model, *target, folder / "x");
    }
  EXPECT_THAT(accepted, ElementsAre("gguf:f32", "safetensors:dequantized"));
}

TEST(Export, RefusalNamesTensorReasonNearestAndOtherTargets) {
  const ShippedModel model = tiny_model(spec("midrise", 4, "32", ScaleRule::kRms));
  const std::string message = error_of([&] { export_to(model, "gguf:q4_0", "/nowhere/x.gguf"); });
  EXPECT_THAT(message, HasSubstr("model.layers.0.mlp.down_proj.weight (midrise4 rms 32 fp16)"));
  EXPECT_THAT(message, HasSubstr("the nearest accepted is: int4 absmax 32 fp16"));
  EXPECT_THAT(
      message,
      HasSubstr("can go to gguf:q5_0 or gguf:q8_0 or compressed-tensors or gguf:f32 or safetensors:dequantized"));
}

TEST(Export, HalfTargetRefusesValuesThatAreNoHalves) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(spec("int", 4, "32", ScaleRule::kAbsmax, ScaleFormat::kFp16Bf16));
  EXPECT_THAT(error_of([&] { export_to(model, "gguf:f16", folder / "x"); }),
              HasSubstr("model.embed_tokens.weight: row 0 has values that F16 cannot hold"));
  EXPECT_THAT(io::test::names_in(folder.path()), IsEmpty());
}

// Half of a scale that is the smallest fp16 number is none.
TEST(Export, HalfScaleMustBeAnFp16) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(spec("midrise", 3, "32", ScaleRule::kAbsmaxFull));
  ShippedTensor& tensor = model.tensors["model.layers.0.mlp.up_proj.weight"];
  tensor.quantized->scales[5][1] = 0x1p-24f;
  tensor.value = dequantize(*tensor.quantized);
  EXPECT_THAT(error_of([&] { export_to(model, "gguf:q4_0", folder / "x"); }),
              HasSubstr("model.layers.0.mlp.up_proj.weight: row 5 has values that Q4_0 cannot hold"));
}

TEST(Export, PlainModelOnAGridIsPackedAgain) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  add_tokenizer(model, folder / "source");
  export_to(model, "safetensors:dequantized", folder / "dense");
  const ShippedModel plain = load_model_any(folder / "dense");
  EXPECT_TRUE(plain.record.layers.empty());
  export_to(plain, "gguf:q4_0", folder / "packed.gguf");
  export_to(model, "gguf:q4_0", folder / "direct.gguf");
  EXPECT_TRUE(verify_file(folder / "packed.gguf", model).equal());
  EXPECT_EQ(verify_file(folder / "packed.gguf", model).sha256, verify_file(folder / "dense", model).sha256);
  EXPECT_EQ(io::GgufReader(folder / "packed.gguf").tensor("blk.0.attn_q.weight").type->name, "Q4_0");
}

TEST(Export, ZerosOfBothSignsInAPlainModelAreNamed) {
  const ShippedModel quantized = tiny_model(spec("int", 4, "32", ScaleRule::kAbsmax));
  ShippedModel plain = quantized;
  plain.record.layers.clear();
  for (auto& [name, tensor] : plain.tensors) tensor.quantized.reset();
  at::Tensor& weight = plain.tensors["model.layers.0.mlp.up_proj.weight"].value;
  weight = at::where(weight.eq(0).logical_and(at::arange(weight.numel()).view(weight.sizes()).remainder(2).eq(0)),
                     at::full({}, -0.0f), weight);
  EXPECT_THAT(
      error_of([&] { export_to(plain, "gguf:q4_0", "/nowhere/x"); }),
      HasSubstr("model.layers.0.mlp.up_proj.weight lies on a grid that Q4_0 holds but for zeros of both signs"));
}

TEST(Export, RoundingRefusesRowsThatAreNoWholeBlocks) {
  DecoderConfig config = tiny_config();
  config.intermediate_size = 48;
  EXPECT_THAT(error_of([&] {
                round_to_target(tiny_model(std::nullopt, Storage::kF32, config), find_export_target("gguf:q4_0"));
              }),
              HasSubstr("down_proj.weight: rows of 48 weights are not whole blocks of 32"));
}

TEST(Export, RoundingSkipsWhatIsNamed) {
  const TemporaryFolder folder;
  DecoderConfig config = wide_config();
  config.intermediate_size = 48;  // which down_proj alone has as its rows
  const ShippedModel model = tiny_model(std::nullopt, Storage::kF32, config);
  for (const char* name : {"gguf:q4_0", "compressed-tensors"}) {
    const ExportTarget& target = find_export_target(name);
    const ShippedModel rounded = round_to_target(model, target, {"down_proj", "*.layers.0.self_attn.?_proj"});
    for (const auto& [tensor, held] : model.tensors)
      EXPECT_EQ(same_bits(rounded.tensor(tensor).value, held.value),
                !tensor.ends_with("gate_proj.weight") && !tensor.ends_with("up_proj.weight"))
          << tensor;
    check_round_trip(rounded, target, folder / "x");
  }
  const auto refusal = [&](const std::vector<std::string>& skip) {
    return error_of([&] { round_to_target(model, find_export_target("gguf:q4_0"), skip); });
  };
  EXPECT_THAT(refusal({"down_porj"}), HasSubstr("--skip names 'down_porj'"));
  EXPECT_THAT(refusal({"down_proj", "layers.0*"}),
              HasSubstr("--skip names 'layers.0*'"));  // the whole name fits or none
  EXPECT_THAT(refusal({"embed_tokens"}), HasSubstr("left anyway"));
  EXPECT_THAT(refusal({""}), HasSubstr("--skip names ''"));
  EXPECT_THAT(refusal({"proj"}), HasSubstr("leaves no projection"));
  EXPECT_THAT(refusal({}), HasSubstr("--skip leaves it as it is"));
}

TEST(Export, PlainFloatsAreRefusedAndRoundedOnRequest) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(std::nullopt);
  EXPECT_THAT(error_of([&] { export_to(model, "gguf:q4_0", folder / "x"); }),
              AllOf(HasSubstr("does not lie on a grid that Q4_0 holds"), HasSubstr("--from-float")));
  const ShippedModel wide = tiny_model(std::nullopt, Storage::kF32, wide_config());
  for (const auto& target : export_targets())
    if (target->rules().preferred()) check_round_trip(round_to_target(wide, *target), *target, folder / "x");
  EXPECT_THROW(round_to_target(model, find_export_target("gguf:f32")), Error);
  EXPECT_THAT(error_of([&] { round_to_target(tiny_model(int4()), find_export_target("gguf:q4_0")); }),
              HasSubstr("trained quantized"));
}

TEST(Export, NotesActivationsAndAMissingTokenizer) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  model.record.layers["model.layers.0.mlp.up_proj.weight"].input = spec("int", 8, "token", ScaleRule::kAbsmax);
  const ExportReport report = export_to(model, "gguf:q4_0", folder / "x.gguf");
  ASSERT_EQ(report.notes.size(), 2u);
  EXPECT_THAT(report.notes[0], HasSubstr("no tokenizer"));
  EXPECT_THAT(report.notes[1], HasSubstr("inputs of 1 layers"));
  EXPECT_THAT(to_text(report), HasSubstr("Q4_0"));
  EXPECT_EQ(to_json(report)["file_bytes"], fs::file_size(folder / "x.gguf"));
}

TEST(Export, NamesTensorsThatDoNotBelong) {
  const TemporaryFolder folder;
  ShippedModel model = tiny_model(int4());
  model.tensors["model.layers.7.mlp.up_proj.weight"] = model.tensors["model.layers.0.mlp.up_proj.weight"];
  EXPECT_THAT(error_of([&] { export_to(model, "gguf:q4_0", folder / "x"); }), HasSubstr("model.layers.7"));
  model = tiny_model(int4());
  model.tensors.erase("model.norm.weight");
  EXPECT_THAT(error_of([&] { export_to(model, "gguf:f32", folder / "x"); }), HasSubstr("no tensor model.norm.weight"));
}

TEST(Export, AnExistingFolderIsNotReplaced) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  write_raw(folder / "precious", "x");
  EXPECT_THAT(error_of([&] { export_to(model, "safetensors:dequantized", folder.path()); }),
              HasSubstr("exists already"));
  EXPECT_EQ(read_raw(folder / "precious"), "x");
}

// A limit on the size of files stands for a full disk, and needs no privilege.
class SmallFiles {
 public:
  SmallFiles() {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit small{20'000, old_.rlim_max};
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &old_); }

 private:
  rlimit old_{};
};

TEST(Export, AFullDiskLeavesNothingBehind) {
  const TemporaryFolder folder;
  const ShippedModel model = tiny_model(int4());
  for (const char* target : {"gguf:q4_0", "safetensors:dequantized"}) {
    std::string message;
    {
      const SmallFiles limit;
      message = error_of([&] { export_to(model, target, folder / "x"); }, ExitCode::kMachineFault);
    }
    EXPECT_THAT(message, HasSubstr("cannot write"));
    EXPECT_THAT(io::test::names_in(folder.path()), IsEmpty()) << target;
  }
}

}  // namespace
}  // namespace detent::test
