// SPDX-License-Identifier: Apache-2.0
// Parses a line of the control channel: words between single spaces, checked as they are read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace exopool {

class ControlLine {
 public:
  explicit ControlLine(std::string_view line) : rest_(line) {}

  std::string_view Word();
  // False if the word has another form; then all later calls return false too.
  bool Number(uint64_t max, uint64_t *number);
  bool Bytes(uint8_t *bytes, size_t count);  // in hexadecimal, exactly so many
  bool AtEnd() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace exopool
