// Whether a model that training starts from and the tokenizer it is given belong together.
#pragma once
#include <filesystem>

#include "detent/train/config.h"

namespace detent {

// Fails, naming data.tokenizer, when the tokenizer of config gives ids that the model's own gives to other tokens, or
// ids that a model without one does not have. model: of model.from, as resolve_model gives it.
void check_tokenizer(const TrainConfig& config, const std::filesystem::path& model, const Tokenizer& tokenizer,
                     int64_t vocab_size);

}  // namespace detent
