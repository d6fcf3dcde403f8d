#include "detent/base/key_error.h"

#include <sstream>

#include "detent/base/node.h"

namespace detent {

void fail_at(const Node& root, const KeyError& error) {
  const Node* found = &root;
  std::stringstream path(error.key());
  for (std::string part; std::getline(path, part, '.');) {
    const Node* inner = found->find(part);
    if (!inner) break;
    found = inner;
  }
  const std::string place = found == &root ? root.source : found->where();
  fail("{}{}{}", place, place.empty() ? "" : ": ", error.what());
}

}  // namespace detent
