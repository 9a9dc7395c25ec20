// SPDX-License-Identifier: Apache-2.0
// The state of each page of the device, 32 bytes: 0.8 % of its size, in locked memory.
#pragma once

#include <vector>

#include "page_seal.hh"

namespace exopool {

constexpr uint32_t kNone = UINT32_MAX;

struct PageState {
  uint64_t write = 0;      // number of the write that it holds; 0: none, it reads as zeroes
  PageTag tag{};           // of that write
  uint32_t place = kNone;  // in leased memory
  uint32_t frame = kNone;  // in the write-behind buffer; without one it is in the backing file
};
static_assert(sizeof(PageState) == 32, "the README and --help promise that size");

using PageTable = std::vector<PageState>;

}  // namespace exopool
