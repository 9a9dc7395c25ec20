// SPDX-License-Identifier: Apache-2.0
// Memory for many small objects that are freed together.
//
// Its blocks come from the kernel and go back to it, past malloc: the memory of a memtable or a sorted run must not
// stay with the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace exopool {

class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  void *Allocate(size_t bytes);  // aligned to 8; throws std::bad_alloc and changes nothing then
  // A mark to go back to: that frees everything allocated since. It must not be used any more.
  struct Mark {
    size_t blocks;
    uint8_t *free;
    size_t left, bytes;
  };
  Mark mark() const { return {blocks_.size(), free_, left_, bytes()}; }
  void RollBack(const Mark &mark);
  // Bytes handed out; blocks are a megabyte, or the size of one large piece.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  uint8_t *NewBlock(size_t bytes);

  std::vector<std::pair<uint8_t *, size_t>> blocks_;
  uint8_t *free_ = nullptr;
  size_t left_ = 0;
  std::atomic<size_t> bytes_{0};
};

}  // namespace exopool
