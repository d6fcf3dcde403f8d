// The smallest decoder in which everything that matters shows; a test changes what it is about.
#pragma once
#include "detent/architectures/decoder_config.h"

namespace detent::test {

inline DecoderConfig small_config() {
  DecoderConfig config;
  config.vocab_size = 257;  // bytes and the end of text
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.initializer_range = 0.2;  // wide, so that what attention sees shows in the logits
  return config;
}

}  // namespace detent::test
