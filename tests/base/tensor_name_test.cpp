#include "detent/base/tensor_name.h"

#include <gtest/gtest.h>

namespace detent {
namespace {

const std::string kName = "model.layers.10.mlp.down_proj.weight";

TEST(TensorName, PartsAndPatterns) {
  for (const char* entry : {"down_proj", "layers.10.", kName.c_str(), "*.down_proj", "*.down_proj.weight",
                            "model.layers.1?.mlp.*", "*.[du]*_proj"})
    EXPECT_TRUE(names_tensor(entry, kName)) << entry;
  for (const char* entry :
       {"", "up_proj", "layers.1.", "*.layers.1.*", "down_proj*", "*.[a-c]*_proj", "*.weight.weight"})
    EXPECT_FALSE(names_tensor(entry, kName)) << entry;
}

TEST(TensorName, APatternIsOfTheWholeName) {
  EXPECT_FALSE(glob_matches("down_proj", kName));
  EXPECT_TRUE(glob_matches("norm", "norm.weight"));
  EXPECT_FALSE(glob_matches("*.b", "model.layers.0.bias"));
}

}  // namespace
}  // namespace detent
