// SPDX-License-Identifier: Apache-2.0
// The newest writes, sorted, in memory, until a flush writes them into a table.
//
// A skip list in an arena: nodes are added and never changed or removed, so readers on other threads need no
// lock, and a view of the past is a sequence number. Each write has a number of its own, greater than those
// before it; the nodes of a key stand newest first, and a reader takes the first that is not newer than its view:
//
//   a#7  a#3  b#9  c#2        at view 8:  a -> #7,  b -> unknown,  c -> #2
//
// An overwritten value stays until the memtable is flushed; it counts in bytes().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.hh"
#include "store/entry_batch.hh"

namespace exopool {

class Memtable {
 public:
  static constexpr uint64_t kNewest = UINT64_MAX;  // a view of everything
  enum class Found { kUnknown, kValue, kDeleted };

  Memtable();
  Memtable(const Memtable &) = delete;
  Memtable &operator=(const Memtable &) = delete;

  // These two are called by one thread at a time. They throw std::bad_alloc and leave the memtable unchanged.
  //
  // Does the writes of a batch in their order. The first has the number `sequence`, greater than that of any
  // write before; the others have those after it.
  void Apply(EntryBatch batch, uint64_t sequence);
  // Takes over the newest write of each key of `newer`, whose writes are all newer than those here. Existing views do
  // not change.
  void Absorb(const Memtable &newer);

  // By any thread. The value lies in the memtable and lives as long as it.
  Found Get(std::string_view key, uint64_t view, std::string_view *value) const;

  // Memory that writes take; 0 without any.
  size_t bytes() const { return arena_.bytes() - empty_bytes_; }
  // Writes, overwritten ones included.
  size_t entries() const { return entries_.load(std::memory_order_relaxed); }

 private:
  struct Node;

 public:
  // Each key that the view has, once, with its newest write. By any thread, while others write.
  class Cursor {
   public:
    Cursor(const Memtable *memtable, uint64_t view) : memtable_(memtable), view_(view) {}

    void SeekFirst();
    void SeekLast();
    void Seek(std::string_view key);        // the first key that is not less
    void SeekBefore(std::string_view key);  // the last key that is less
    bool valid() const { return node_ != nullptr; }
    void Next();
    void Previous();
    std::string_view key() const;
    std::string_view value() const;
    bool deleted() const;
    uint64_t sequence() const;

   private:
    void SettleForward(const Node *node);
    void SettleBackward(const Node *node);

    const Memtable *memtable_;
    uint64_t view_;
    const Node *node_ = nullptr;
  };

 private:
  static constexpr int kHeightMax = 12;  // at a branching of 4 enough for 16 million nodes

  // Adds what `next(BatchEntry *, uint64_t *sequence)` gives until it returns false: all of it or nothing.
  template <typename Next>
  void AddAll(Next next);
  void Link(Node *node);
  Node *NewNode(std::string_view key, std::string_view value, int height);
  // The last node before (key, sequence) at each level, in `before` when given. Returns the node after it.
  Node *Find(std::string_view key, uint64_t sequence, Node **before) const;
  Node *Last() const;
  int RandomHeight();

  Arena arena_;
  Node *head_;
  size_t empty_bytes_;
  std::atomic<int> height_{1};
  std::atomic<size_t> entries_{0};
  uint32_t random_ = 0x9e3779b9;
};

}  // namespace exopool
