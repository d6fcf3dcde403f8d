#include "detent/train/model_tokenizer.h"

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/import/model_path.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

// The model's own, unless it is of a kind that is not read: then another has to be named, and cannot be compared.
std::unique_ptr<Tokenizer> own_tokenizer(const fs::path& model) try {
  return has_tokenizer(model) ? load_model_tokenizer(model) : nullptr;
} catch (const Error& error) {
  if (error.code() != ExitCode::kBadInput) throw;
  fmt::print(stderr, "data.tokenizer is taken without comparing it with the model's own: {}\n", error.what());
  return nullptr;
}

// Without control tokens and added ones: a fine-tune may give reserved ids new names.
Vocabulary ordinary(Vocabulary vocabulary) {
  for (TokenType& type : vocabulary.types)
    if (type == TokenType::kControl || type == TokenType::kUserDefined) type = TokenType::kUnused;
  return vocabulary;
}

}  // namespace

void check_tokenizer(const TrainConfig& config, const fs::path& model, const Tokenizer& tokenizer, int64_t vocab_size) {
  const std::string& named = config.data.tokenizer;
  const bool is_own = named == model.string();
  const auto own = is_own ? nullptr : own_tokenizer(model);
  if (const auto id =
          own ? first_difference(ordinary(tokenizer.vocabulary()), ordinary(own->vocabulary())) : std::nullopt)
    fail_key("data.tokenizer",
             "'{}' is not the tokenizer that model.from ({}) was trained with: id {} stands for another token; drop "
             "data.tokenizer to go on with the model's own",
             named, model.string(), *id);
  if (tokenizer.vocab_size() > vocab_size)
    fail_key("data.tokenizer", "'{}' has {} tokens, {} of model.from only {}; name {}", named, tokenizer.vocab_size(),
             model.string(), vocab_size, own ? "the model's own tokenizer" : "the tokenizer it was trained with");
}

}  // namespace detent
