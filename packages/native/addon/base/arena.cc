// SPDX-License-Identifier: Apache-2.0
#include "base/arena.hh"

#include <sys/mman.h>

#include <new>

namespace exopool {
namespace {

constexpr size_t kBlockBytes = 1u << 20;
constexpr size_t kAlignment = 8;

}  // namespace

Arena::~Arena() {
  for (auto [block, bytes] : blocks_) munmap(block, bytes);
}

uint8_t *Arena::NewBlock(size_t bytes) {
  blocks_.reserve(blocks_.size() + 1);
  void *block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  blocks_.emplace_back(static_cast<uint8_t *>(block), bytes);
  return blocks_.back().first;
}

void Arena::RollBack(const Mark &mark) {
  for (; blocks_.size() > mark.blocks; blocks_.pop_back()) munmap(blocks_.back().first, blocks_.back().second);
  free_ = mark.free;
  left_ = mark.left;
  bytes_.store(mark.bytes, std::memory_order_relaxed);
}

void *Arena::Allocate(size_t bytes) {
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void *memory;
  // A large piece gets a block of its own, so that at most an eighth of a block is left unused.
  if (bytes > kBlockBytes / 8 && bytes > left_) {
    memory = NewBlock(bytes);
  } else {
    if (bytes > left_) {
      free_ = NewBlock(kBlockBytes);
      left_ = kBlockBytes;
    }
    memory = free_;
    free_ += bytes;
    left_ -= bytes;
  }
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return memory;
}

}  // namespace exopool
