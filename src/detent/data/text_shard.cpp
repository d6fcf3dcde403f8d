#include "detent/data/text_shard.h"

#include "detent/data/encoder.h"

namespace detent {

TextCounts write_text(const std::vector<std::filesystem::path>& files, const TextShardOptions& options,
                      const Tokenizer& tokenizer, const CorpusProgress& progress, const TakeIds& take,
                      io::TokenShardWriter& writer) {
  const std::optional<int32_t> bos = tokenizer.bos(), end = tokenizer.eos();
  const auto put = [&](const std::optional<int32_t>& id) {
    if (id) writer.write(std::span(&*id, 1));
  };
  TextCounts counts;
  bool fresh = true;
  Encoder encoder(tokenizer, options.threads, [&](const EncodedPart& part) {
    if (fresh) put(bos);
    fresh = part.ends_document;
    writer.write(part.ids);
    if (take) take(part.ids);
    counts.tokens += part.ids.size();
    counts.bytes += part.bytes;
    if (!part.ends_document) return;
    put(end);
    writer.end_document();
    ++counts.documents;
  });
  for_each_part(files, options.field, options.separator, progress,
                [&](std::string_view bytes, bool ends_document) { encoder.add(bytes, ends_document); });
  encoder.finish();
  return counts;
}

}  // namespace detent
