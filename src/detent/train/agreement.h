// How far the predictions of two models of the same text are apart: a trained model and its file as a program runs it.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "detent/train/evaluate.h"

namespace detent {

struct Agreement {
  double kl = 0;                    // nats a scored token: mean of KL(reference || other)
  double top1 = 0;                  // share of the tokens for which both find the same id likeliest
  double loss = 0, other_loss = 0;  // nats a scored token
  int64_t tokens = 0;
};
nlohmann::json to_json(const Agreement& agreement);
std::string to_text(const Agreement& agreement);

Agreement compare_predictions(CausalLm& reference, CausalLm& other, const EvalWindows& windows, int64_t batch_size,
                              const EvalProgress& progress = {});

}  // namespace detent
