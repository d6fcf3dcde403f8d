// Large tensors go into files and are compared in parts of their rows: the same bytes as from whole tensors, and a
// difference in a later part is found.
#include "detent/deploy/folder_parts.h"
#include "detent/quant/tensor_file.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

const std::string kTable = "model.embed_tokens.weight", kUp = "model.layers.0.mlp.up_proj.weight";

DecoderConfig tall_config() {
  DecoderConfig config = tiny_config();
  config.vocab_size = config.intermediate_size = 17'024;
  return config;
}

void write_checkpoint(const fs::path& folder, const QuantSpec& grid) {
  std::mt19937 random(2);
  TensorMap latent;
  QuantizationRecord record;
  record.unquantized = Storage::kF16;
  for (const std::string& name : gguf_tensor_names(tall_config())) {
    latent[name] = random_tensor(shape_of(name, tall_config()), random);
    if (is_projection(name)) record.layers[name].weight = grid;
  }
  fs::create_directory(folder);
  write_raw(folder / "config.json", to_json(tall_config()).dump());
  write_raw(folder / "quantization.json", to_json(record).dump());
  write_float_tensors(folder / "model.safetensors", latent);
}

class Parts : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, Parts,
                         testing::Values("gguf:q4_0", "gguf:f32", "compressed-tensors", "safetensors:dequantized"));

fs::path weights_in(const fs::path& path) { return fs::is_directory(path) ? path / "model.safetensors" : path; }

TEST_P(Parts, GiveTheFileOfTheWhole) {
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint", int4());
  const ShippedModel whole = load_model_any(folder / "checkpoint"), opened = open_model_any(folder / "checkpoint");
  ASSERT_LT(opened.part_rows(kTable), 17'024);
  ASSERT_LT(opened.part_rows(kUp), 17'024);
  export_to(whole, GetParam(), folder / "whole");
  export_to(opened, GetParam(), folder / "parts");
  EXPECT_TRUE(read_raw(weights_in(folder / "whole")) == read_raw(weights_in(folder / "parts")));
  const VerifyReport by_whole = verify_file(folder / "parts", whole), by_part = verify_file(folder / "parts", opened);
  EXPECT_TRUE(by_whole.equal() && by_part.equal()) << to_text(by_part);
  EXPECT_EQ(by_whole.sha256, by_part.sha256);
}

TEST(PartsOfAFile, AChangedLaterPartIsFound) {
  const TemporaryFolder folder;
  write_checkpoint(folder / "checkpoint", int4());
  ShippedModel changed = load_model_any(folder / "checkpoint");
  for (const std::string& name : {kTable, kUp}) changed.tensors[name].value.select(0, 17'000).add_(0x1p-6f);
  changed.tensors[kUp].quantized.reset();
  changed.record.layers.clear();
  export_to(changed, "gguf:f32", folder / "x");
  const VerifyReport report = verify_file(folder / "x", open_model_any(folder / "checkpoint"));
  for (const VerifyRow& row : report.tensors) EXPECT_EQ(row.differing, row.name == kTable || row.name == kUp ? 64 : 0);
}

// 1/3 in the first part or the last: 16 bits hold the rest of the table, not that.
TEST(PartsOfAFile, OneValueDecidesTheTypeOfATable) {
  constexpr int64_t kRows = 17'024, kColumns = 64;
  for (const int64_t row : {int64_t{-1}, int64_t{0}, kRows - 1}) {
    ShippedModel model;
    model.tensors["table"] = unread({kRows, kColumns});
    model.read_rows = [=](const std::string&, int64_t first, int64_t count) {
      const at::Tensor value = at::full({count, kColumns}, 0.5f);
      if (row >= first && row < first + count) value.select(0, row - first).fill_(1.0f / 3);
      return ShippedTensor{.value = value};
    };
    ASSERT_LT(model.part_rows("table"), kRows);
    EXPECT_EQ(stored_dtype(model, "table", Storage::kF16), row < 0 ? io::Dtype::kF16 : io::Dtype::kF32) << row;
    EXPECT_EQ(stored_dtype(model, "table", Storage::kF32), io::Dtype::kF32);
  }
}

}  // namespace
}  // namespace detent::test
