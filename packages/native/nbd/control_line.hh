// SPDX-License-Identifier: Apache-2.0
// A line of the control channel, taken apart: words between single spaces, checked as they are asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace exopool {

class ControlLine {
 public:
  explicit ControlLine(std::string_view line) : rest_(line) {}

  std::string_view Word();
  // False, and every later question too: the word is not what was asked for.
  bool Number(uint64_t max, uint64_t *number);
  bool Bytes(uint8_t *bytes, size_t count);  // in hexadecimal, exactly so many
  bool AtEnd() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace exopool
