// SPDX-License-Identifier: Apache-2.0
#include "store/row_cache.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "table_filter.h"

namespace exopool {
namespace {

constexpr size_t kPageBytes = 4096;
// Segments of a budget: many enough that evicting one loses little, large enough for rows.
constexpr size_t kSegments = 128;
constexpr size_t kSegmentBytesMin = 4096;
constexpr size_t kSegmentBytesMax = 2u << 20;
// Below it the queues are too short to be useful.
constexpr size_t kSegmentsMin = 4;
// The small queue's part of the segments.
constexpr size_t kSmallShare = 10;
// Hits count up to this; an entry in the main queue stays so many rounds without another hit.
constexpr uint8_t kUsesMax = 3;
constexpr uint64_t kPlaceBits = 40;
constexpr uint64_t kPlaceMask = (1ull << kPlaceBits) - 1;
constexpr size_t kAlignment = 8;
// From this size on a hit mostly waits for address translation, and huge pages pay.
constexpr size_t kHugePagesFrom = 32u << 20;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct LeafKey {
  LeafKey(uint64_t table_id, uint64_t offset) : words{table_id, offset} {}
  std::string_view bytes() const { return {reinterpret_cast<const char *>(words), sizeof(words)}; }
  uint64_t hash() const { return exo_key_hash(reinterpret_cast<const uint8_t *>(words), sizeof(words)); }
  uint64_t words[2];
};

}  // namespace

MappedBytes::MappedBytes(size_t bytes) : size_(RoundUp(bytes, kPageBytes)) {
  void *memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<uint8_t *>(memory);
  if (size_ >= kHugePagesFrom) madvise(data_, size_, MADV_HUGEPAGE);
}

MappedBytes::~MappedBytes() {
  if (data_ != nullptr) munmap(data_, size_);
}

MappedBytes::MappedBytes(MappedBytes &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedBytes &MappedBytes::operator=(MappedBytes &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedBytes::Discard(size_t offset, size_t bytes) { madvise(data_ + offset, bytes, MADV_DONTNEED); }

struct RowCache::Entry {
  uint64_t hash;
  uint32_t value_length;
  uint16_t key_length;
  Kind kind;
  uint8_t uses;

  static size_t Bytes(size_t key, size_t value) { return RoundUp(sizeof(Entry) + key + value, kAlignment); }
  size_t bytes() const { return Bytes(key_length, value_length); }
  const char *data() const { return reinterpret_cast<const char *>(this + 1); }
  std::string_view key() const { return {data(), key_length}; }
  std::string_view value() const { return {data() + key_length, value_length}; }
};

RowCache::RowCache(size_t budget_bytes) {
  static_assert(sizeof(Entry) == 16);
  size_t segment_bytes = RoundUp(budget_bytes / kSegments, kPageBytes);
  segment_bytes = std::clamp(segment_bytes, kSegmentBytesMin, kSegmentBytesMax);
  buckets_ = budget_bytes / kSlotBytes / kBucketSlots;
  ghosts_ = budget_bytes / kSlotBytes / 2 / kGhostSlots;
  if (ghosts_ == 0 || budget_bytes < kSegmentsMin * segment_bytes) return;
  index_ = MappedBytes(buckets_ * kBucketSlots * sizeof(uint64_t));
  ghost_ = MappedBytes(ghosts_ * kGhostSlots * sizeof(uint16_t));
  overhead_bytes_ = index_.size() + ghost_.size();
  size_t segments = overhead_bytes_ < budget_bytes ? (budget_bytes - overhead_bytes_) / segment_bytes : 0;
  if (segments < kSegmentsMin) return;
  log_ = MappedBytes(segments * segment_bytes);
  segment_bytes_ = segment_bytes;
  used_.resize(segments);
  is_dirty_.resize(segments);
  for (size_t segment = segments; segment > 0;) free_.push_back(static_cast<uint32_t>(--segment));
  segments_max_ = segments;
}

void RowCache::SetLimit(size_t bytes) {
  if (segment_bytes_ == 0) return;
  size_t segments = bytes > overhead_bytes_ ? (bytes - overhead_bytes_) / segment_bytes_ : 0;
  segments = std::min(segments, used_.size());
  if (segments < kSegmentsMin) segments = 0;
  bool shrinks = segments < segments_max_;
  segments_max_ = segments;
  if (!shrinks) return;
  if (segments == 0) return Clear();
  while (queued() >= segments_max_) small_.size() > 1 ? EvictSmall() : EvictMain();
  for (uint32_t segment : free_) {
    if (!is_dirty_[segment]) continue;
    log_.Discard(segment * segment_bytes_, segment_bytes_);
    is_dirty_[segment] = false;
    dirty_--;
  }
}

// Places are in units of kAlignment, plus one: an empty slot is zero.
RowCache::Entry *RowCache::At(uint64_t place) const {
  return reinterpret_cast<Entry *>(log_.data() + (place - 1) * kAlignment);
}

uint64_t *RowCache::BucketOf(uint64_t hash) const {
  uint64_t bucket = (hash & UINT32_MAX) * buckets_ >> 32;
  return reinterpret_cast<uint64_t *>(index_.data()) + bucket * kBucketSlots;
}

uint64_t *RowCache::Find(std::string_view key, uint64_t hash, bool is_leaf) const {
  uint64_t *bucket = BucketOf(hash);
  for (size_t i = 0; i < kBucketSlots; i++) {
    if (bucket[i] == 0 || bucket[i] >> kPlaceBits != hash >> kPlaceBits) continue;
    const Entry *entry = At(bucket[i] & kPlaceMask);
    if (entry->hash == hash && (entry->kind == Kind::kLeaf) == is_leaf && entry->key() == key) return &bucket[i];
  }
  return nullptr;
}

void RowCache::Link(uint64_t hash, uint64_t place) {
  uint64_t *bucket = BucketOf(hash);
  // If all are taken: any, but not always the same one.
  uint64_t *slot = &bucket[(hash >> 32) % kBucketSlots];
  for (size_t i = 0; i < kBucketSlots && *slot != 0; i++) {
    if (bucket[i] == 0) slot = &bucket[i];
  }
  if (*slot != 0) Unlink(slot);
  *slot = (hash >> kPlaceBits << kPlaceBits) | place;
  (At(place)->kind == Kind::kLeaf ? leaves_ : rows_)++;
}

void RowCache::Unlink(uint64_t *slot) {
  (At(*slot & kPlaceMask)->kind == Kind::kLeaf ? leaves_ : rows_)--;
  *slot = 0;
}

RowCache::Kind RowCache::Get(std::string_view key, uint64_t hash, std::string_view *value) {
  if (segments_max_ == 0) return Kind::kNone;
  uint64_t *slot = Find(key, hash, false);
  if (slot == nullptr) return Kind::kNone;
  Entry *entry = At(*slot & kPlaceMask);
  if (entry->uses < kUsesMax) entry->uses++;
  *value = entry->value();
  return entry->kind;
}

const uint8_t *RowCache::GetLeaf(uint64_t table_id, uint64_t offset) {
  if (leaves_ == 0) return nullptr;
  LeafKey key(table_id, offset);
  uint64_t *slot = Find(key.bytes(), key.hash(), true);
  if (slot == nullptr) return nullptr;
  Entry *entry = At(*slot & kPlaceMask);
  if (entry->uses < kUsesMax) entry->uses++;
  return reinterpret_cast<const uint8_t *>(entry->value().data());
}

void RowCache::Put(std::string_view key, uint64_t hash, Kind kind, std::string_view value) {
  if (segments_max_ == 0) return;
  Erase(key, hash);
  Add(key, hash, kind, value);
}

void RowCache::PutLeaf(uint64_t table_id, uint64_t offset, const uint8_t *page, size_t bytes) {
  if (segments_max_ == 0) return;
  LeafKey key(table_id, offset);
  if (Find(key.bytes(), key.hash(), true) != nullptr) return;
  Add(key.bytes(), key.hash(), Kind::kLeaf, {reinterpret_cast<const char *>(page), bytes});
}

void RowCache::Erase(std::string_view key, uint64_t hash) {
  if (segments_max_ == 0) return;
  if (uint64_t *slot = Find(key, hash, false)) Unlink(slot);
}

void RowCache::Clear() {
  if (segment_bytes_ == 0) return;
  index_.Discard(0, index_.size());
  for (Queue *queue : {&small_, &main_}) {
    free_.insert(free_.end(), queue->begin(), queue->end());
    queue->clear();
  }
  log_.Discard(0, log_.size());
  is_dirty_.assign(is_dirty_.size(), false);
  dirty_ = rows_ = leaves_ = 0;
}

void RowCache::Add(std::string_view key, uint64_t hash, Kind kind, std::string_view value) {
  if (Entry::Bytes(key.size(), value.size()) > entry_bytes_max()) return;
  bool was_here = TakeGhost(hash);
  Entry header{hash, static_cast<uint32_t>(value.size()), static_cast<uint16_t>(key.size()), kind, 0};
  Queue *queue = was_here ? &main_ : &small_;
  if (queue->empty() || used_[queue->back()] + header.bytes() > segment_bytes_) MakeRoom();
  Link(hash, Append(queue, &header, key, value));
}

// Needs a free segment, or room in the queue's last one.
uint64_t RowCache::Append(Queue *queue, const Entry *header, std::string_view key, std::string_view value) {
  size_t bytes = header->bytes();
  if (queue->empty() || used_[queue->back()] + bytes > segment_bytes_) {
    uint32_t segment = free_.back();
    free_.pop_back();
    if (!is_dirty_[segment]) dirty_++;
    is_dirty_[segment] = true;
    used_[segment] = 0;
    queue->push_back(segment);
  }
  uint32_t segment = queue->back();
  size_t at = segment * segment_bytes_ + used_[segment];
  used_[segment] += static_cast<uint32_t>(bytes);
  uint8_t *memory = log_.data() + at;
  memcpy(memory, header, sizeof(*header));
  memcpy(memory + sizeof(*header), key.data(), key.size());
  if (!value.empty()) memcpy(memory + sizeof(*header) + key.size(), value.data(), value.size());
  return at / kAlignment + 1;
}

// Leaves two free segments: one for the caller, one for the rows that an eviction moves.
void RowCache::MakeRoom() {
  while (queued() + 2 > segments_max_) {
    bool small_is_full = small_.size() > std::max<size_t>(1, segments_max_ / kSmallShare);
    if (small_is_full || main_.empty())
      EvictSmall();
    else
      EvictMain();
  }
}

template <typename Visit>
void RowCache::ForEachLive(uint32_t segment, Visit visit) {
  size_t begin = segment * segment_bytes_;
  for (size_t at = begin; at < begin + used_[segment];) {
    auto entry = reinterpret_cast<Entry *>(log_.data() + at);
    uint64_t place = at / kAlignment + 1;
    at += entry->bytes();
    uint64_t *bucket = BucketOf(entry->hash);
    for (size_t i = 0; i < kBucketSlots; i++) {
      if ((bucket[i] & kPlaceMask) == place) visit(&bucket[i], entry);
    }
  }
  free_.push_back(segment);
}

void RowCache::EvictSmall() {
  uint32_t segment = small_.front();
  small_.pop_front();
  size_t moved_bytes = 0;
  ForEachLive(segment, [&](uint64_t *slot, Entry *entry) {
    if (entry->uses > 0) return MoveToMain(slot, entry, 0, &moved_bytes);
    AddGhost(entry->hash);
    Unlink(slot);
  });
}

void RowCache::EvictMain() {
  uint32_t segment = main_.front();
  main_.pop_front();
  size_t moved_bytes = 0;
  ForEachLive(segment, [&](uint64_t *slot, Entry *entry) {
    if (entry->uses > 0) return MoveToMain(slot, entry, static_cast<uint8_t>(entry->uses - 1), &moved_bytes);
    Unlink(slot);
  });
}

// A segment gives up some of its entries even if all are in use, so that making room ends.
void RowCache::MoveToMain(uint64_t *slot, Entry *entry, uint8_t uses, size_t *moved_bytes) {
  *moved_bytes += entry->bytes();
  if (*moved_bytes > segment_bytes_ - 2 * entry_bytes_max()) return Unlink(slot);
  Entry header = *entry;
  header.uses = uses;
  uint64_t place = Append(&main_, &header, entry->key(), entry->value());
  *slot = (*slot & ~kPlaceMask) | place;
}

uint16_t *RowCache::GhostOf(uint64_t hash) const {
  uint64_t bucket = (hash & UINT32_MAX) * ghosts_ >> 32;
  return reinterpret_cast<uint16_t *>(ghost_.data()) + bucket * kGhostSlots;
}

// The newest of a bucket stands first, the oldest falls out.
void RowCache::AddGhost(uint64_t hash) {
  uint16_t *bucket = GhostOf(hash);
  memmove(bucket + 1, bucket, (kGhostSlots - 1) * sizeof(*bucket));
  bucket[0] = static_cast<uint16_t>(hash >> 48) | 1;
}

bool RowCache::TakeGhost(uint64_t hash) {
  uint16_t *bucket = GhostOf(hash);
  uint16_t *found = std::find(bucket, bucket + kGhostSlots, static_cast<uint16_t>(hash >> 48) | 1);
  if (found == bucket + kGhostSlots) return false;
  *found = 0;
  return true;
}

}  // namespace exopool
