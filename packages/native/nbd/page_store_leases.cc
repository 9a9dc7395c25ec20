// SPDX-License-Identifier: Apache-2.0
// The store's leased memory: requests to producers, and the start and end of regions.
#include "base/clock.hh"
#include "page_store.hh"

namespace exopool {

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

}  // namespace exopool
