// SPDX-License-Identifier: Apache-2.0
// The memory of one part of a request, allocated at the start: no allocation happens while memory may be short.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "page_seal.hh"
#include "page_table.hh"
#include "slab_transfer.hh"

namespace exopool {

struct PageWorkspace {
  static constexpr uint32_t kChunkPages = 64;  // processed at once; longer requests are split

  enum class Source : uint8_t { kZero, kBuffer, kLeased, kFile };
  struct Page {
    PageState state;
    Source source;
    bool is_open;
    slab_status status;  // of its request to leased memory
    uint32_t frame;
    uint32_t place;          // pinned; kNone: not in a transfer
    const uint8_t *payload;  // of a write
    uint32_t transfer, request;
  };

  explicit PageWorkspace(const std::optional<PageKey> &key)
      : seal(key), memory(new uint8_t[(kChunkPages + 4) * size_t{kPageBytes}]) {
    // Direct I/O wants whole pages.
    const auto start = reinterpret_cast<uintptr_t>(memory.get());
    sealed = memory.get() + (kPageBytes - start % kPageBytes) % kPageBytes;
    for (size_t i = 0; i < 3; ++i) edges[i] = sealed + (kChunkPages + i) * kPageBytes;
    memset(sealed, 0, (kChunkPages + 3) * size_t{kPageBytes});
    for (SlabTransfer &transfer : transfers) transfer.requests.reserve(kChunkPages);
  }
  uint8_t *SealedAt(uint32_t index) { return sealed + size_t{index} * kPageBytes; }

  PageSeal seal;
  std::unique_ptr<uint8_t[]> memory;
  uint8_t *sealed;
  uint8_t *edges[3];  // partial first and last page of a request; a page that is read again
  std::array<Page, kChunkPages> pages;
  std::array<SlabTransfer, kChunkPages> transfers;
  uint32_t transfer_count = 0;
};

}  // namespace exopool
