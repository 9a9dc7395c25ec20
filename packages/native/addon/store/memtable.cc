// SPDX-License-Identifier: Apache-2.0
#include "store/memtable.hh"

#include <cstring>
#include <new>

#include "table/key_head.hh"

namespace exopool {

// In memory: this, `height` pointers in all, the key, the value.
struct Memtable::Node {
  uint64_t head;
  uint64_t sequence;
  uint32_t value_length;
  uint16_t key_length;
  uint8_t height;
  bool deleted;
  std::atomic<Node *> next[1];

  const char *bytes() const { return reinterpret_cast<const char *>(&next[height]); }
  std::string_view key() const { return {bytes(), key_length}; }
  std::string_view value() const { return {bytes() + key_length, value_length}; }
  Node *Next(int level) const { return next[level].load(std::memory_order_acquire); }

  // Whether this node stands before (key, sequence).
  bool IsBefore(uint64_t key_head, std::string_view other, uint64_t other_sequence) const {
    if (head != key_head) return head < key_head;
    int order = key().compare(other);
    return order < 0 || (order == 0 && sequence > other_sequence);
  }
};

Memtable::Memtable() : head_(NewNode({}, {}, kHeightMax)), empty_bytes_(arena_.bytes()) {}

Memtable::Node *Memtable::NewNode(std::string_view key, std::string_view value, int height) {
  size_t links = static_cast<size_t>(height) * sizeof(std::atomic<Node *>);
  void *memory = arena_.Allocate(offsetof(Node, next) + links + key.size() + value.size());
  Node *node = static_cast<Node *>(memory);
  node->head = HeadOf(key);
  node->sequence = 0;
  node->deleted = false;
  node->value_length = static_cast<uint32_t>(value.size());
  node->key_length = static_cast<uint16_t>(key.size());
  node->height = static_cast<uint8_t>(height);
  for (int level = 0; level < height; level++) new (&node->next[level]) std::atomic<Node *>(nullptr);
  auto bytes = reinterpret_cast<char *>(&node->next[height]);
  if (!key.empty()) memcpy(bytes, key.data(), key.size());
  if (!value.empty()) memcpy(bytes + key.size(), value.data(), value.size());
  return node;
}

// One in four nodes is in the next level as well. Xorshift: any sequence that is independent of the keys will do.
int Memtable::RandomHeight() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  int height = 1;
  for (uint32_t bits = random_; height < kHeightMax && (bits & 3) == 0; bits >>= 2) height++;
  return height;
}

Memtable::Node *Memtable::Find(std::string_view key, uint64_t sequence, Node **before) const {
  uint64_t key_head = HeadOf(key);
  Node *node = head_;
  Node *not_before = nullptr;
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; level--) {
    for (;;) {
      Node *next = node->Next(level);
      // A node that ended the search on the level above ends it here too.
      if (next == nullptr || next == not_before || !next->IsBefore(key_head, key, sequence)) {
        not_before = next;
        break;
      }
      node = next;
    }
    if (before != nullptr) before[level] = node;
  }
  return not_before;
}

// First all nodes are made, in a stack by their lowest links. Then all are linked, which needs no memory. The order of
// linking does not matter: each node has its place.
template <typename Next>
void Memtable::AddAll(Next next) {
  const Arena::Mark mark = arena_.mark();
  Node *made = nullptr;
  try {
    BatchEntry entry;
    for (uint64_t sequence; next(&entry, &sequence);) {
      Node *node = NewNode(entry.key, entry.value, RandomHeight());
      node->sequence = sequence;
      node->deleted = entry.deleted;
      node->next[0].store(made, std::memory_order_relaxed);
      made = node;
    }
  } catch (const std::bad_alloc &) {
    arena_.RollBack(mark);
    throw;
  }
  while (made != nullptr) {
    Node *node = made;
    made = node->Next(0);
    Link(node);
  }
}

void Memtable::Link(Node *node) {
  Node *before[kHeightMax];
  Find(node->key(), node->sequence, before);
  int height = node->height;
  int known = height_.load(std::memory_order_relaxed);
  for (int level = known; level < height; level++) before[level] = head_;
  if (height > known) height_.store(height, std::memory_order_relaxed);
  for (int level = 0; level < height; level++) {
    node->next[level].store(before[level]->Next(level), std::memory_order_relaxed);
    // A reader that sees the link sees the node.
    before[level]->next[level].store(node, std::memory_order_release);
  }
  entries_.fetch_add(1, std::memory_order_relaxed);
}

void Memtable::Apply(EntryBatch batch, uint64_t sequence) {
  AddAll([&](BatchEntry *entry, uint64_t *number) {
    *number = sequence++;
    return batch.Next(entry);
  });
}

void Memtable::Absorb(const Memtable &newer) {
  Cursor cursor(&newer, kNewest);
  cursor.SeekFirst();
  AddAll([&](BatchEntry *entry, uint64_t *sequence) {
    if (!cursor.valid()) return false;
    *entry = {cursor.key(), cursor.value(), cursor.deleted()};
    *sequence = cursor.sequence();
    cursor.Next();
    return true;
  });
}

Memtable::Found Memtable::Get(std::string_view key, uint64_t view, std::string_view *value) const {
  const Node *node = Find(key, view, nullptr);
  if (node == nullptr || node->key() != key) return Found::kUnknown;
  if (node->deleted) return Found::kDeleted;
  *value = node->value();
  return Found::kValue;
}

Memtable::Node *Memtable::Last() const {
  Node *node = head_;
  for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; level--) {
    while (Node *next = node->Next(level)) node = next;
  }
  return node == head_ ? nullptr : node;
}

std::string_view Memtable::Cursor::key() const { return node_->key(); }
std::string_view Memtable::Cursor::value() const { return node_->value(); }
bool Memtable::Cursor::deleted() const { return node_->deleted; }
uint64_t Memtable::Cursor::sequence() const { return node_->sequence; }

// Takes the first node from `node` on that the view has. A key's nodes stand newest first, so that is its newest.
void Memtable::Cursor::SettleForward(const Node *node) {
  while (node != nullptr && node->sequence > view_) node = node->Next(0);
  node_ = node;
}

// Takes the newest node that the view has of the key of `node`, or else of a key before it.
void Memtable::Cursor::SettleBackward(const Node *node) {
  while (node != nullptr && node != memtable_->head_) {
    const Node *newest = memtable_->Find(node->key(), view_, nullptr);
    if (newest != nullptr && newest->key() == node->key()) {
      node_ = newest;
      return;
    }
    Node *before[kHeightMax];
    memtable_->Find(node->key(), kNewest, before);
    node = before[0];
  }
  node_ = nullptr;
}

void Memtable::Cursor::SeekFirst() { SettleForward(memtable_->head_->Next(0)); }
void Memtable::Cursor::SeekLast() { SettleBackward(memtable_->Last()); }
void Memtable::Cursor::Seek(std::string_view key) { SettleForward(memtable_->Find(key, kNewest, nullptr)); }

void Memtable::Cursor::SeekBefore(std::string_view key) {
  Node *before[kHeightMax];
  memtable_->Find(key, kNewest, before);
  SettleBackward(before[0]);
}

void Memtable::Cursor::Next() {
  const Node *node = node_;
  std::string_view passed = node->key();
  do {
    node = node->Next(0);
  } while (node != nullptr && node->key() == passed);
  SettleForward(node);
}

void Memtable::Cursor::Previous() { SeekBefore(node_->key()); }

}  // namespace exopool
