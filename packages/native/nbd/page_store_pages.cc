// SPDX-License-Identifier: Apache-2.0
// Whole pages of one chunk, whose range is locked.
#include <cerrno>

#include "page_store.hh"

namespace exopool {

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
    page.is_open = came && space->seal.Open(first + i, page.state.write, page.state.tag, space->SealedAt(i), into[i]);
    if (page.source == Source::kLeased && !page.is_open) ++(came ? counters_.tampered : counters_.lost);
    if (!page.is_open) continue;
    ++(page.source == Source::kLeased   ? counters_.read_leased
       : page.source == Source::kBuffer ? counters_.read_buffered
                                        : counters_.read_file);
  }
}

// Unpins the places that were read; a place that did not return its page is removed from it.
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

// From the buffer or the file, after leased memory failed to return it.
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
  if (const int error = SealPages(space, first, count, from); error != 0) return error;
  PlacePages(space, first, count);
  StartTransfers(space, count, SLAB_WRITE);
  {
    // Not before: the frames must stay until the transfers have copied them.
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint32_t i = 0; i < count; ++i) buffer_.Publish(first + i, space->pages[i].state.frame);
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

// Into frames of the buffer; may wait for free ones.
int PageStore::SealPages(Workspace *space, uint64_t first, uint32_t count, const uint8_t *const *from) {
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
  return 0;
}

// From now on the frames hold the pages' current bytes. A page's existing place is overwritten.
void PageStore::PlacePages(Workspace *space, uint64_t first, uint32_t count) {
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

}  // namespace exopool
