// SPDX-License-Identifier: Apache-2.0
#include "control_line.hh"

#include <algorithm>
#include <charconv>

namespace exopool {

std::string_view ControlLine::Word() {
  const size_t end = std::min(rest_.find(' '), rest_.size());
  const std::string_view word = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return word;
}

bool ControlLine::Number(uint64_t max, uint64_t *number) {
  const std::string_view word = Word();
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *number);
  good_ = good_ && error == std::errc() && end == word.data() + word.size() && *number <= max;
  return good_;
}

bool ControlLine::Bytes(uint8_t *bytes, size_t count) {
  const std::string_view word = Word();
  good_ = good_ && word.size() == 2 * count;
  for (size_t i = 0; good_ && i < count; ++i) {
    const char *digits = word.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
    good_ = error == std::errc() && end == digits + 2;
  }
  return good_;
}

}  // namespace exopool
