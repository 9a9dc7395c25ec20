// SPDX-License-Identifier: Apache-2.0
#include "page_store.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "slab_poller.hh"

namespace exopool {

// What one chunk of a request needs, made at the start: nothing is allocated while memory may be short.
struct PageStore::Workspace {
  enum class Source : uint8_t { kZero, kBuffer, kLeased, kFile };
  struct Page {
    PageState state;
    Source source;
    bool is_open;
    slab_status status;      // of its request to leased memory
    uint32_t frame;
    uint32_t place;          // pinned; kNone: not in a transfer
    const uint8_t *payload;  // of a write
    uint32_t transfer, request;
  };

  explicit Workspace(const SealKey &key) : seal(key), memory(new uint8_t[(kChunkPages + 4) * size_t{kPageBytes}]) {
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
  uint8_t *edges[3];  // first and last page of a request that does not have them whole; a page read again
  std::array<Page, kChunkPages> pages;
  std::array<SlabTransfer, kChunkPages> transfers;
  uint32_t transfer_count = 0;
};

// The part of a request that is done in one go.
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

PageStore::PageStore(uint64_t bytes, uint32_t frames, std::unique_ptr<BackingFile> file)
    : file_(std::move(file)),
      pages_(bytes / kPageBytes),
      places_(&pages_),
      buffer_(std::max(frames, kFramesMin), &mutex_, &pages_, file_.get()) {
  const SealKey key = PageSeal::FreshKey();
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

int PageStore::ReadPages(Workspace *space, uint64_t first, uint32_t count, uint8_t *const *into) {
  FindPages(space, first, count);
  StartTransfers(space, count, SLAB_READ);
  int error = ReadFile(space, first, count);
  AwaitTransfers(space, count);
  OpenPages(space, first, count, into);
  LetGo(space, first, count);
  for (uint32_t i = 0; error == 0 && i < count; ++i) {
    if (!space->pages[i].is_open) error = ReadAgain(space, first, i, into[i]);
  }
  if (error == 0) Promote(space, first, count);
  return error;
}

void PageStore::FindPages(Workspace *space, uint64_t first, uint32_t count) {
  using Source = Workspace::Source;
  std::lock_guard<std::mutex> lock(mutex_);
  ResumeRegions();
  for (uint32_t i = 0; i < count; ++i) {
    Workspace::Page &page = space->pages[i];
    page.state = pages_[first + i];
    page.place = kNone;
    page.payload = nullptr;
    if (page.state.write == 0) {
      page.source = Source::kZero;
    } else if (page.state.frame != kNone) {
      page.source = Source::kBuffer;
      memcpy(space->SealedAt(i), buffer_.FrameData(page.state.frame), kPageBytes);
    } else if (page.state.place != kNone && places_.Pin(page.state.place)) {
      page.source = Source::kLeased;
      page.place = page.state.place;
    } else {
      page.source = Source::kFile;
    }
  }
}

int PageStore::ReadFile(Workspace *space, uint64_t first, uint32_t count) {
  using Source = Workspace::Source;
  int error = 0;
  for (uint32_t from = 0; from < count;) {
    uint32_t end = from;
    while (end < count && space->pages[end].source == Source::kFile) ++end;
    if (end > from) {
      const int failed = file_->Read(first + from, end - from, space->SealedAt(from));
      if (failed != 0) error = failed;
    }
    from = end + 1;
  }
  return error;
}

void PageStore::OpenPages(Workspace *space, uint64_t first, uint32_t count, uint8_t *const *into) {
  using Source = Workspace::Source;
  for (uint32_t i = 0; i < count; ++i) {
    Workspace::Page &page = space->pages[i];
    if (page.source == Source::kZero) {
      memset(into[i], 0, kPageBytes);
      page.is_open = true;
      ++counters_.read_zero;
      continue;
    }
    const bool came = page.source != Source::kLeased || page.status == SLAB_OK;
    page.is_open =
        came && space->seal.Open(first + i, page.state.write, page.state.tag, space->SealedAt(i), into[i]);
    if (page.source == Source::kLeased && !page.is_open) ++(came ? counters_.tampered : counters_.lost);
    if (!page.is_open) continue;
    ++(page.source == Source::kLeased   ? counters_.read_leased
       : page.source == Source::kBuffer ? counters_.read_buffered
                                        : counters_.read_file);
  }
}

// Unpins what was read; a place that did not give its page is taken from it.
void PageStore::LetGo(Workspace *space, uint64_t first, uint32_t count) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (uint32_t i = 0; i < count; ++i) {
    const Workspace::Page &page = space->pages[i];
    if (page.place == kNone) continue;
    const bool is_current = pages_[first + i].place == page.place;
    if (!page.is_open && page.status != SLAB_OVER_RATE && is_current) places_.Free(page.place);
    places_.Unpin(page.place);
  }
}

// From the buffer or the file, after leased memory did not have it.
int PageStore::ReadAgain(Workspace *space, uint64_t first, uint32_t index, uint8_t *into) {
  Workspace::Page &page = space->pages[index];
  uint8_t *sealed = space->edges[2];
  bool is_buffered = false;
  if (page.source == Workspace::Source::kLeased) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const uint32_t frame = pages_[first + index].frame;
      is_buffered = frame != kNone;
      if (is_buffered) memcpy(sealed, buffer_.FrameData(frame), kPageBytes);
    }
    const int error = is_buffered ? 0 : file_->Read(first + index, 1, sealed);
    if (error != 0) return error;
    page.is_open = space->seal.Open(first + index, page.state.write, page.state.tag, sealed, into);
  }
  ++(!page.is_open ? counters_.corrupt : is_buffered ? counters_.read_buffered : counters_.read_file);
  return page.is_open ? 0 : EIO;
}

// Puts pages that were read from the file into leased memory, where there is room.
void PageStore::Promote(Workspace *space, uint64_t first, uint32_t count) {
  uint32_t taken = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint32_t i = 0; i < count; ++i) {
      Workspace::Page &page = space->pages[i];
      page.place = page.source == Workspace::Source::kFile && page.state.place == kNone && places_.capacity() > 0
                       ? places_.Take(first + i, kReadSteps)
                       : kNone;
      page.payload = space->SealedAt(i);
      if (page.place != kNone) ++taken;
    }
  }
  if (taken == 0) return;
  StartTransfers(space, count, SLAB_WRITE);
  AwaitTransfers(space, count);
  std::lock_guard<std::mutex> lock(mutex_);
  for (uint32_t i = 0; i < count; ++i) {
    const Workspace::Page &page = space->pages[i];
    if (page.place == kNone) continue;
    // Another reader of the same page may have been faster.
    if (page.status == SLAB_OK && pages_[first + i].place == kNone) {
      places_.Attach(page.place);
      ++counters_.written_leased;
    } else {
      places_.Free(page.place);
    }
    places_.Unpin(page.place);
  }
}

int PageStore::WritePages(Workspace *space, uint64_t first, uint32_t count, const uint8_t *const *from) {
  uint32_t frames[kChunkPages];
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (const int error = buffer_.Reserve(&lock, count, frames); error != 0) return error;
  }
  const uint64_t write = next_write_.fetch_add(count);
  for (uint32_t i = 0; i < count; ++i) {
    Workspace::Page &page = space->pages[i];
    uint8_t *sealed = buffer_.FrameData(frames[i]);
    page.state.write = write + i;
    page.state.frame = frames[i];
    page.payload = sealed;
    space->seal.Seal(first + i, page.state.write, from[i], sealed, &page.state.tag);
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ResumeRegions();
    for (uint32_t i = 0; i < count; ++i) {
      Workspace::Page &page = space->pages[i];
      PageState &known = pages_[first + i];
      if (known.frame != kNone) buffer_.Drop(known.frame);
      page.place = known.place;
      if (page.place != kNone && !places_.Pin(page.place)) {
        places_.Free(page.place);
        page.place = kNone;
      }
      if (page.place == kNone) {
        page.place = places_.Take(first + i, LeasedPlaces::kClockStepsMax);
        if (page.place != kNone) places_.Attach(page.place);
      }
      page.state.place = page.place;
      known = page.state;
    }
  }
  StartTransfers(space, count, SLAB_WRITE);
  {
    // Not before: the frames must stay until the transfers have copied them.
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint32_t i = 0; i < count; ++i) buffer_.Publish(first + i, frames[i]);
  }
  AwaitTransfers(space, count);
  counters_.written += count;
  std::lock_guard<std::mutex> lock(mutex_);
  for (uint32_t i = 0; i < count; ++i) {
    const Workspace::Page &page = space->pages[i];
    if (page.place == kNone) continue;
    if (page.status == SLAB_OK) ++counters_.written_leased;
    if (page.status != SLAB_OK) places_.Free(page.place);
    places_.Unpin(page.place);
  }
  return 0;
}

void PageStore::DiscardPages(uint64_t first, uint32_t count) {
  uint32_t discarded = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint32_t i = 0; i < count; ++i) {
      PageState &page = pages_[first + i];
      if (page.write == 0) continue;
      if (page.frame != kNone) buffer_.Drop(page.frame);
      if (page.place != kNone) places_.Free(page.place);
      page = PageState{};
      ++discarded;
    }
  }
  counters_.discarded += discarded;
  if (discarded > 0) file_->Punch(first, count);
}

// One batch for each stretch of pages whose places are of one session; places in a row are one request.
void PageStore::StartTransfers(Workspace *space, uint32_t count, slab_type type) {
  space->transfer_count = 0;
  for (uint32_t from = 0; from < count;) {
    if (space->pages[from].place == kNone) {
      ++from;
      continue;
    }
    const uint32_t region = LeasedPlaces::RegionOf(space->pages[from].place);
    SlabTransfer &transfer = space->transfers[space->transfer_count];
    transfer.Reset();
    std::shared_ptr<SlabLink> link;
    uint32_t end = from;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      link = regions_[region].link;
      for (; end < count && space->pages[end].place != kNone; ++end) {
        Workspace::Page &page = space->pages[end];
        if (LeasedPlaces::RegionOf(page.place) != region) break;
        const LeasedPlaces::Where where = places_.WhereOf(page.place);
        std::vector<SlabRequest> &requests = transfer.requests;
        const bool joins = !requests.empty() && requests.back().slab == where.slab &&
                           requests.back().offset + requests.back().length == where.offset &&
                           (type == SLAB_READ || requests.back().payload + requests.back().length == page.payload);
        if (joins) {
          requests.back().length += kPageBytes;
        } else {
          requests.push_back({type, where.slab, where.offset, kPageBytes, type == SLAB_READ ? nullptr : page.payload});
        }
        page.transfer = space->transfer_count;
        page.request = static_cast<uint32_t>(requests.size() - 1);
      }
    }
    ++space->transfer_count;
    if (link != nullptr) {
      link->Start(&transfer, space->SealedAt(from));
    } else {
      transfer.Refuse();
    }
    from = end;
  }
}

void PageStore::AwaitTransfers(Workspace *space, uint32_t count) {
  for (uint32_t i = 0; i < space->transfer_count; ++i) space->transfers[i].Wait();
  uint64_t now_ns = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Workspace::Page &page = space->pages[i];
    if (page.place == kNone) continue;
    const SlabTransfer &transfer = space->transfers[page.transfer];
    page.status = transfer.StatusOf(page.request);
    if (page.status != SLAB_OVER_RATE) continue;
    if (now_ns == 0) now_ns = MonotonicNs();
    std::lock_guard<std::mutex> lock(mutex_);
    Region &region = regions_[LeasedPlaces::RegionOf(page.place)];
    if (region.link == nullptr) continue;
    if (region.paused_until_ns == 0) ++paused_;
    region.paused_until_ns = now_ns + uint64_t{transfer.wait_ms()} * 1'000'000 + 1;
    places_.Pause(LeasedPlaces::RegionOf(page.place), true);
  }
}

void PageStore::ResumeRegions() {
  if (paused_ == 0) return;
  const uint64_t now_ns = MonotonicNs();
  for (uint32_t number = 0; number < regions_.size(); ++number) {
    Region &region = regions_[number];
    if (region.paused_until_ns == 0 || region.paused_until_ns > now_ns) continue;
    region.paused_until_ns = 0;
    --paused_;
    places_.Pause(number, false);
  }
}

uint32_t PageStore::AddRegion(std::shared_ptr<SlabLink> link, uint32_t slabs, uint32_t slab_bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint32_t number = places_.AddRegion(slabs, slab_bytes);
  if (number != kNone) regions_[number] = {std::move(link), 0};
  return number;
}

void PageStore::RemoveRegion(uint32_t number) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (regions_[number].paused_until_ns != 0) --paused_;
  regions_[number] = {};
  places_.RemoveRegion(number);
}

void PageStore::RemoveSlabs(uint32_t region, const std::vector<uint32_t> &slabs) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const uint32_t slab : slabs) places_.RemoveSlab(region, slab);
}

std::vector<uint32_t> PageStore::VacateSlabs(uint32_t region, const SlabLink *link, uint32_t count) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (regions_[region].link.get() != link) return {};
  const std::vector<uint32_t> slabs = places_.ColdestSlabs(region, count);
  for (const uint32_t slab : slabs) places_.RemoveSlab(region, slab);
  return slabs;
}

PageGauges PageStore::gauges() {
  std::lock_guard<std::mutex> lock(mutex_);
  return {places_.used(),      places_.capacity(), buffer_.dirty(),
          places_.evictions(), buffer_.written(),  buffer_.failures()};
}

}  // namespace exopool
