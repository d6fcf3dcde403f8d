#include "detent/train/config.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/import/model_path.h"
#include "detent/qat/presets.h"

namespace detent {

namespace {

// A key that is written down although nothing reads it in this combination.
void refuse(const Node& root, const char* block, const char* key, const std::string& reason) {
  const Node* outer = root.find(block);
  const Node* found = outer ? (*key ? outer->find(key) : outer) : nullptr;
  if (found) fail("{}: {}{}{} has no effect: {}", found->where(), block, *key ? "." : "", key, reason);
}

bool quantizes_weights(const TrainConfig& config) {
  if (!config.quant) return false;
  if (config.quant->weights) return true;
  const auto& items = config.quant->layers.items;
  return std::any_of(items.begin(), items.end(), [](const Node& entry) {
    const Node* weights = entry.find("weights");
    return weights && weights->kind == Node::Kind::kMap;
  });
}

bool learns_scales(const TrainConfig& config) {
  const auto learned = [](const std::optional<TensorQuantOptions>& o) { return o && o->scale == "learned"; };
  if (learned(config.quant->weights) || learned(config.quant->activations)) return true;
  return std::any_of(config.quant->layers.items.begin(), config.quant->layers.items.end(),
                     [](const Node& entry) { return to_yaml(entry).find("learned") != std::string::npos; });
}

// A key of a block if it is written down, else the block: where a message points.
[[noreturn]] void fail_at(const Node& root, const char* block, const char* key, const std::string& reason) {
  refuse(root, block, key, reason);
  refuse(root, block, "", reason);
  fail("{}.{} has no effect: {}", block, key, reason);
}

void check_cage(const Node& root, const TrainConfig& config) {
  const CageOptions& cage = *config.cage;
  check(cage);
  const bool by_pull = !cage.lambda && !cage.strength;
  if (by_pull && (cage.mode == "coupled" || config.optimizer.name != "adamw"))
    fail_key("cage.pull",
             "is measured against Adam's unit step, which a coupled term and sgd do not have; give cage.lambda");
  if (config.alpha_blending && cage.start >= config.alpha_blending->end)
    fail_at(
        root, "cage", "start",
        fmt::format("alpha_blending has frozen the weights from {} on; lower cage.start", config.alpha_blending->end));
}

void check_winq(const Node& root, const WinqOptions& winq, int64_t steps) {
  if (winq.noise == 0 && (winq.every == 0 || winq.interpolation == 0))
    refuse(root, "winq", "", "it adds no noise and resets nothing; drop the block");
  if (winq.every == 0) refuse(root, "winq", "interpolation", "winq.every is 0, so nothing is reset");
  if (winq.interpolation == 0) refuse(root, "winq", "every", "winq.interpolation is 0");
  if (winq.every > steps && winq.interpolation > 0)
    fail_at(
        root, "winq", "every",
        fmt::format("a reset every {} steps comes after the end at {}; lower winq.every, or set winq.interpolation: 0",
                    winq.every, steps));
}

void check_blending(const Node& root, const TrainConfig& config) {
  check(*config.alpha_blending);
  const auto refuse_surrogate = [](const Node* weights) {
    const Node* surrogate = weights ? weights->find("surrogate") : nullptr;
    const Node* scale = weights ? weights->find("scale") : nullptr;
    if (surrogate && surrogate->scalar != "ste" && !(scale && scale->scalar == "learned"))
      fail("{}: the surrogate has no effect on weights: alpha_blending replaces it; drop one of them",
           surrogate->where());
  };
  const Node* quant = root.find("quant");
  refuse_surrogate(quant ? quant->find("weights") : nullptr);
  for (const Node& entry : config.quant->layers.items) refuse_surrogate(entry.find("weights"));
}

void check_methods(const Node& root, const TrainConfig& config) {
  const std::string reason = "no weights are quantized; add quant.weights, or drop the block";
  for (const char* block : {"cage", "winq", "alpha_blending"}) {
    if (!quantizes_weights(config)) refuse(root, block, "", reason);
    if (config.train.steps == 0 && root.find(block) && root.find(block)->kind == Node::Kind::kMap)
      refuse(root, block, "", "train.steps is 0");
  }
  if (config.cage) check_cage(root, config);
  if (config.winq) check_winq(root, *config.winq, config.train.steps);
  if (config.alpha_blending) check_blending(root, config);
  if (config.quant && !config.quant->target.empty() && !quantizes_weights(config))
    refuse(root, "quant", "target", "no weights are quantized; add quant.weights");
  if (config.quant && config.quant->scale_learning_rate != 1 && !learns_scales(config))
    refuse(root, "quant", "scale_learning_rate", "no scale is learned");
}

void check_optimizer(const Node& root, const TrainConfig& config) {
  check(config.optimizer);
  if (config.optimizer.name == "adamw")
    for (const char* key : {"momentum", "nesterov"})
      refuse(root, "optimizer", key, "it belongs to optimizer.name: sgd");
  if (config.optimizer.name == "sgd")
    for (const char* key : {"betas", "epsilon"}) refuse(root, "optimizer", key, "it belongs to optimizer.name: adamw");
  if (config.schedule.name == "constant")
    refuse(root, "schedule", "final", "schedule.name: constant stays at the peak");
  if (config.schedule.warmup >= 1 && config.schedule.name != "constant")
    fail_key("schedule.warmup", "= 1 leaves no step for the fall of schedule.name: {}; set schedule.name: constant",
             config.schedule.name);
}

void check_data(const Node& root, const DataOptions& data) {
  const std::string reason = "data.format is " + data.format;
  if (data.format == "text") refuse(root, "data", "chat_format", reason);
  if (data.format != "text")
    for (const char* key : {"field", "separator"}) refuse(root, "data", key, reason);
}

void check_model(const Node& root, const TrainConfig& config) {
  const Node* model = root.find("model");
  if (!model) fail("{}: the block 'model' is missing: give model.from, or a new model's sizes", root.source);
  if (config.model.from.empty()) return;
  for (const auto& [key, value] : model->entries)
    if (key != "from" && !(key == "architecture" && config.model.architecture == "llama"))
      fail("{}: model.{} has no effect: the shape comes from model.from; drop one of them", value.where(), key);
}

// Fine-tuning goes on with the model's own tokenizer, if it has one.
void default_tokenizer(const Node& root, TrainConfig& config) {
  const Node* data = root.find("data");
  if (config.model.from.empty() || (data && data->find("tokenizer"))) return;
  const std::filesystem::path model = resolve_model(config.model.from);
  if (has_tokenizer(model)) config.data.tokenizer = model.string();
}

// The resolved config names defaults of the other optimizer too; reading it back must not call those useless.
void drop_unused(TrainConfig& config, Node& node) {
  const auto drop = [&](const char* block, const char* key) {
    Node& outer = node.at_or_add(block);
    std::erase_if(outer.entries, [&](const auto& entry) { return entry.first == key; });
  };
  if (config.optimizer.name == "adamw") {
    drop("optimizer", "momentum");
    drop("optimizer", "nesterov");
  } else {
    drop("optimizer", "betas");
    drop("optimizer", "epsilon");
  }
  if (config.schedule.name == "constant") drop("schedule", "final");
  if (!config.model.from.empty()) drop("model", "architecture");
  if (config.data.format != "text") {
    drop("data", "field");
    drop("data", "separator");
  }
  if (config.winq && config.winq->every == 0) drop("winq", "interpolation");
  if (config.winq && config.winq->interpolation == 0) drop("winq", "every");
}

TrainConfig checked_config(Node& node) {
  if (const Node* quant = node.find("quant"); quant && quant->kind == Node::Kind::kMap)
    expand_quant(node.at_or_add("quant"));
  TrainConfig config;
  read_options(node, config);
  check_model(node, config);
  default_tokenizer(node, config);
  check_data(node, config.data);
  check_optimizer(node, config);
  check_methods(node, config);
  if (config.data.train.empty() && config.train.steps > 0)
    fail("{}: data.train is missing: name the files to train on", node.source);
  if (config.data.valid.empty()) fail("{}: data.valid is missing: name a file for the validation loss", node.source);
  if (config.quant && !config.quant->weights && !config.quant->activations && config.quant->layers.items.empty() &&
      config.quant->unquantized == "f32")
    refuse(node, "quant", "", "nothing in it is quantized; add quant.weights, or drop the block");
  config.written = node;
  return config;
}

}  // namespace

TrainConfig train_config_from_node(Node node) {
  try {
    return checked_config(node);
  } catch (const KeyError& error) {
    fail_at(node, error);
  }
}

TrainConfig load_train_config(const std::string& path, const std::vector<std::string>& sets) {
  Node node = load_yaml(path);
  for (const std::string& set : sets) apply_set(node, set);
  return train_config_from_node(std::move(node));
}

std::string resolved_yaml(TrainConfig config) {
  if (config.quant)
    config.quant->preset.clear();  // spelled out below it; read again it would add what was switched off
  Node node = write_options(config);
  drop_unused(config, node);
  return to_yaml(node);
}

}  // namespace detent
