#include "detent/train/session.h"

#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/import/model_path.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/train/device.h"
#include "detent/train/memory.h"
#include "detent/train/model_folder.h"
#include "detent/train/model_tokenizer.h"

namespace detent {

namespace fs = std::filesystem;

Session::Session(const TrainConfig& given)
    : config(given), device(training_device(given.train.device)), tokenizer(open_tokenizer(given.data.tokenizer)) {
  try {
    check_memory(estimate_memory(config, device));
    build_model();
    build_optimizer();
  } catch (const KeyError& error) {
    fail_at(config.written, error);
  }
}

Session::Session(const TrainConfig& given, bool quiet, Cache use) : Session(given) {
  try {
    open_data(quiet, use);
  } catch (const KeyError& error) {
    fail_at(config.written, error);
  }
}

void Session::check(const TrainConfig& config) { const Session session(config); }

void Session::build_model() {
  const auto seed = static_cast<uint64_t>(config.train.seed);
  if (config.model.from.empty()) {
    model = std::make_unique<CausalLm>(
        new_model_config(config.model, tokenizer->vocab_size(), config.data.sequence_length), seed);
  } else {
    const std::string folder = resolve_model(config.model.from).string();
    model = load_latent_model(folder);
    const fs::path generation = fs::path(folder) / "generation_config.json";
    if (fs::exists(generation)) generation_config_ = io::as_text(io::MappedFile(generation).bytes());
    check_tokenizer(config, folder, *tokenizer, model->config().vocab_size);
  }
  if (config.data.sequence_length > model->config().context_limit())
    fail_key("data.sequence_length", "= {} is longer than the model's context of {}; lower it",
             config.data.sequence_length, model->config().context_limit());
  model->move_to(device);
  for (const nn::Slot& slot : model->slots()) slot.parameter->set_requires_grad(true);
  if (config.quant) quantized = attach(*config.quant, model->slots());
  if (!config.model.from.empty()) start_learned_scales(resolve_model(config.model.from).string());
  quantized.phase->seed = seed;
}

// A model that was trained on the same grids goes on with the steps it learned.
void Session::start_learned_scales(const std::string& folder) {
  if (quantized.learned().empty() || !fs::exists(fs::path(folder) / "quantization.json")) return;
  const ShippedModel trained = read_shipped_record(folder);
  for (const QuantizedLayer& layer : quantized.layers) {
    const auto take = [&](TensorQuantizer* to, const std::optional<QuantSpec>& spec, const std::string& name) {
      if (!to || !to->has_learned() || !spec || *spec != to->spec()) return;
      const at::NoGradGuard guard;
      to->learned().copy_(trained.learned.at(name));
      to->remember_signs();
    };
    const auto found = trained.record.layers.find(layer.slot.name);
    if (found == trained.record.layers.end()) continue;
    take(layer.weight.get(), found->second.weight, layer.slot.name + ".scale");
    take(layer.input.get(), found->second.input, layer.slot.name + ".input_scale");
  }
}

void Session::open_data(bool quiet, Cache use) {
  RunData data = open_run_data(config, *tokenizer, quiet, use);
  loader = std::move(data.loader);
  validation = std::move(data.validation);
  data_digest_ = data.digest;
}

void Session::build_optimizer() {
  std::vector<OptimizedParameter> parameters;
  // Learned scales first: a weight's pull uses the scale as updated in the same step.
  for (const auto& [name, quantizer] : quantized.learned())
    parameters.push_back({name, quantizer->learned(), 0, config.quant->scale_learning_rate, nullptr});
  const std::vector<nn::Slot> slots = model->slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const double decay = slots[i].parameter->dim() >= 2 ? config.optimizer.weight_decay : 0;
    std::shared_ptr<RowTarget> target;
    if (i < quantized.layers.size() && quantized.layers[i].weight)
      target = make_quantized_target(quantized.layers[i].weight);
    parameters.push_back({slots[i].name, *slots[i].parameter, decay, 1, target});
  }
  optimizer = make_optimizer(config.optimizer, std::move(parameters));
  methods = std::make_unique<MethodSchedule>(config, quantized, *optimizer);
}

TensorMap Session::weights() {
  TensorMap all;
  for (const nn::Slot& slot : model->slots()) all[slot.name] = slot.parameter->detach();
  return all;
}

TensorMap Session::learned() {
  TensorMap all;
  for (const auto& [name, quantizer] : quantized.learned()) all[name] = quantizer->learned().detach();
  return all;
}

CheckpointContent Session::content(const TrainState& progress) {
  CheckpointContent content;
  content.model_config = to_json(model->config());
  if (!content.model_config.contains("eos_token_id") && tokenizer->eos())
    content.model_config["eos_token_id"] = *tokenizer->eos();
  content.generation_config = generation_config_;
  content.weights = weights();
  content.learned = learned();
  content.moments = optimizer->state();
  if (config.quant) content.record = quantized.record;
  content.state = progress;
  content.state.device = device.str();
  content.state.cursor = loader ? loader->cursor() : Cursor{};
  content.state.methods = methods->state();
  content.state.data = data_digest_;
  content.state.config = resolved_yaml(config);
  return content;
}

void Session::restore(const CheckpointContent& content) {
  if (content.state.data != data_digest_)
    fail(
        "--resume: the text of data.train or data.valid is not the one this run began with; restore it, or choose "
        "another "
        "output");
  copy_into(weights(), content.weights, "model.safetensors");
  copy_into(learned(), content.learned, "quantization.safetensors");
  copy_into(optimizer->state(), content.moments, "state.safetensors");
  for (const auto& [name, quantizer] : quantized.learned())
    if (quantizer->learned().detach().ne(0).all().item<bool>()) quantizer->remember_signs();
  methods->restore(content.state.methods);
  if (loader) loader->seek(content.state.cursor);
}

}  // namespace detent
