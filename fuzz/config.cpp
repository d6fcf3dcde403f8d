// Any bytes as a config.json: an accepted one is written in a form that reads back as the same model.
#include <numeric>

#include "detent/architectures/decoder_config.h"
#include "detent/architectures/parameters.h"
#include "detent/architectures/stop_ids.h"
#include "detent/io/bytes.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace detent;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const DecoderConfig config = decoder_config_from_text(io::as_text(bytes), "fuzz");
    const nlohmann::json written = to_json(config);
    fuzz::check(to_json(decoder_config_from_json(written, "written")) == written);
    fuzz::check(config.parameter_count() > 0 && config.context_limit() > 0);
    if (config.num_hidden_layers > 16) return;
    int64_t count = 0;
    for (const ParameterInfo& info : parameters(config))
      count += std::accumulate(info.shape.begin(), info.shape.end(), int64_t{1}, std::multiplies<>());
    fuzz::check(count == config.parameter_count());
    stop_ids(written, "fuzz");
  });
}
