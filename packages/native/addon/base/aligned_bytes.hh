// SPDX-License-Identifier: Apache-2.0
// Memory that direct I/O can read into and write from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace exopool {

// No device in use wants more than a page.
constexpr size_t kDirectIoAlignment = 4096;

struct FreeDeleter {
  void operator()(void *memory) const { free(memory); }
};

using AlignedBytes = std::unique_ptr<uint8_t[], FreeDeleter>;

// At least `bytes`, aligned and a multiple of the alignment. Null when there is no memory.
inline AlignedBytes AllocateAligned(size_t bytes) {
  const size_t rounded = (bytes + kDirectIoAlignment - 1) / kDirectIoAlignment * kDirectIoAlignment;
  return AlignedBytes(static_cast<uint8_t *>(aligned_alloc(kDirectIoAlignment, rounded)));
}

}  // namespace exopool
