// SPDX-License-Identifier: Apache-2.0
#include "page_store.hh"

#include <algorithm>
#include <cstring>

namespace exopool {

// The part of a request that is processed at once.
struct PageStore::Chunk {
  uint64_t first;
  uint32_t count;
  uint32_t head;   // bytes of the first page before the request
  uint32_t bytes;  // of the request
  uint64_t done;   // of it before this chunk

  struct Piece {
    uint32_t at;  // in its page
    uint32_t bytes;
    uint64_t from;  // in the request
    bool is_whole() const { return bytes == kPageBytes; }
  };
  Piece PieceOf(uint32_t index) const {
    const uint32_t from = std::max(index * kPageBytes, head);
    const uint32_t end = std::min((index + 1) * kPageBytes, head + bytes);
    return {from - index * kPageBytes, end - from, done + from - head};
  }
};

class PageStore::Borrowed {
 public:
  explicit Borrowed(PageStore *store) : store_(store) {
    std::unique_lock<std::mutex> lock(store->spaces_mutex_);
    store->space_free_.wait(lock, [store] { return !store->spaces_.empty(); });
    space_ = std::move(store->spaces_.back());
    store->spaces_.pop_back();
  }
  ~Borrowed() {
    std::lock_guard<std::mutex> lock(store_->spaces_mutex_);
    store_->spaces_.push_back(std::move(space_));
    store_->space_free_.notify_one();
  }
  Borrowed(const Borrowed &) = delete;
  Borrowed &operator=(const Borrowed &) = delete;
  Workspace *get() const { return space_.get(); }

 private:
  PageStore *const store_;
  std::unique_ptr<Workspace> space_;
};

PageStore::PageStore(uint64_t bytes, uint32_t frames, std::unique_ptr<BackingFile> file, bool is_sealed)
    : file_(std::move(file)),
      pages_(bytes / kPageBytes),
      places_(&pages_),
      buffer_(std::max(frames, kFramesMin), &mutex_, &pages_, file_.get()) {
  std::optional<PageKey> key;
  if (is_sealed) key = PageSeal::FreshKey();
  for (uint32_t i = 0; i < kWorkspaces; ++i) spaces_.push_back(std::make_unique<Workspace>(key));
}

PageStore::~PageStore() = default;

template <typename Each>
int PageStore::InChunks(uint64_t bytes, uint64_t offset, bool alone, Each each) {
  const Borrowed space(this);
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t at = offset + done;
    const uint64_t first = at / kPageBytes;
    const uint64_t end = std::min(offset + bytes, (first / kChunkPages + 1) * kChunkPages * kPageBytes);
    const Chunk chunk{first, static_cast<uint32_t>((end + kPageBytes - 1) / kPageBytes - first),
                      static_cast<uint32_t>(at % kPageBytes), static_cast<uint32_t>(end - at), done};
    const RangeLocks::Guard guard(&locks_, first, chunk.count, alone);
    if (const int error = each(space.get(), chunk); error != 0) return error;
    done += chunk.bytes;
  }
  return 0;
}

int PageStore::Read(uint8_t *into, uint32_t bytes, uint64_t offset) {
  return InChunks(bytes, offset, false, [this, into](Workspace *space, const Chunk &chunk) {
    uint8_t *targets[kChunkPages];
    for (uint32_t i = 0; i < chunk.count; ++i) {
      const Chunk::Piece piece = chunk.PieceOf(i);
      targets[i] = piece.is_whole() ? into + piece.from : space->edges[i == 0 ? 0 : 1];
    }
    const int error = ReadPages(space, chunk.first, chunk.count, targets);
    for (uint32_t i = 0; error == 0 && i < chunk.count; ++i) {
      const Chunk::Piece piece = chunk.PieceOf(i);
      if (!piece.is_whole()) memcpy(into + piece.from, targets[i] + piece.at, piece.bytes);
    }
    return error;
  });
}

int PageStore::Write(const uint8_t *from, uint32_t bytes, uint64_t offset) {
  return InChunks(bytes, offset, true, [this, from](Workspace *space, const Chunk &chunk) {
    const uint8_t *sources[kChunkPages];
    for (uint32_t i = 0; i < chunk.count; ++i) {
      const Chunk::Piece piece = chunk.PieceOf(i);
      sources[i] = from + piece.from;
      if (piece.is_whole()) continue;
      uint8_t *edge = space->edges[i == 0 ? 0 : 1];
      if (const int error = ReadPages(space, chunk.first + i, 1, &edge); error != 0) return error;
      memcpy(edge + piece.at, from + piece.from, piece.bytes);
      sources[i] = edge;
    }
    return WritePages(space, chunk.first, chunk.count, sources);
  });
}

int PageStore::Discard(uint64_t bytes, uint64_t offset) { return Clear(bytes, offset, false); }

int PageStore::Zero(uint64_t bytes, uint64_t offset) { return Clear(bytes, offset, true); }

int PageStore::Clear(uint64_t bytes, uint64_t offset, bool edges) {
  return InChunks(bytes, offset, true, [this, edges](Workspace *space, const Chunk &chunk) {
    uint32_t from = 0, end = chunk.count;
    if (!chunk.PieceOf(0).is_whole()) ++from;
    if (end > from && !chunk.PieceOf(end - 1).is_whole()) --end;
    if (end > from) DiscardPages(chunk.first + from, end - from);
    for (uint32_t i = 0; edges && i < chunk.count; ++i) {
      const Chunk::Piece piece = chunk.PieceOf(i);
      if (piece.is_whole()) continue;
      uint8_t *edge = space->edges[0];
      if (const int error = ReadPages(space, chunk.first + i, 1, &edge); error != 0) return error;
      memset(edge + piece.at, 0, piece.bytes);
      if (const int error = WritePages(space, chunk.first + i, 1, &edge); error != 0) return error;
    }
    return 0;
  });
}

int PageStore::Flush() {
  ++counters_.flushes;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (const int error = buffer_.Flush(&lock); error != 0) return error;
  }
  return file_->Sync();
}

uint64_t PageStore::Stretch(uint64_t page, uint64_t end, bool *has_data) {
  std::lock_guard<std::mutex> lock(mutex_);
  *has_data = pages_[page].write != 0;
  const uint64_t from = page;
  while (page < end && (pages_[page].write != 0) == *has_data) ++page;
  return page - from;
}

PageGauges PageStore::gauges() {
  std::lock_guard<std::mutex> lock(mutex_);
  return {places_.used(),      places_.capacity(), buffer_.dirty(),
          places_.evictions(), buffer_.written(),  buffer_.failures()};
}

}  // namespace exopool
