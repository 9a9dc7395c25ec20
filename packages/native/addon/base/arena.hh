// SPDX-License-Identifier: Apache-2.0
// Memory for many small things that are given back together.
//
// Its blocks come from the kernel and go back to it, past malloc: what a memtable or a sorted run has used must not
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

  void *Allocate(size_t bytes);  // aligned to 8; throws std::bad_alloc, and is as before then
  // A moment to go back to: what was allocated since is given back then. Nobody may use it any more.
  struct Mark {
    size_t blocks;
    uint8_t *free;
    size_t left, bytes;
  };
  Mark mark() const { return {blocks_.size(), free_, left_, bytes()}; }
  void RollBack(const Mark &mark);
  // Handed out; the blocks that it comes from are a megabyte, or what one large piece takes.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  uint8_t *NewBlock(size_t bytes);

  std::vector<std::pair<uint8_t *, size_t>> blocks_;
  uint8_t *free_ = nullptr;
  size_t left_ = 0;
  std::atomic<size_t> bytes_{0};
};

}  // namespace exopool
