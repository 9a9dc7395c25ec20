// SPDX-License-Identifier: Apache-2.0
// The first eight bytes of a key as a number in the same order: it decides most comparisons of keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace exopool {

inline uint64_t HeadOf(std::string_view key) {
  uint8_t bytes[8] = {};
  if (!key.empty()) memcpy(bytes, key.data(), std::min<size_t>(key.size(), sizeof(bytes)));
  uint64_t head;
  memcpy(&head, bytes, sizeof(head));
  return __builtin_bswap64(head);
}

}  // namespace exopool
