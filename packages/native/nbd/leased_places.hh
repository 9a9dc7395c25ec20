// SPDX-License-Identifier: Apache-2.0
// The map from pages of the device to pages of leased slabs. A region is one session's slabs, a place a page of it:
//
//   place   | region, 8 bits | page of the region, 24 bits |
//
// Free places are taken first, then those of pages that were not used since the clock's hand last passed. Taking a
// place loses no data: every page is in the write-behind buffer or in the backing file too. A place with a request in
// flight is pinned and is not taken, so the answer has its page's bytes.
//
// Not locked by itself: the store's mutex covers it, together with the page table.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "page_table.hh"

namespace exopool {

class LeasedPlaces {
 public:
  static constexpr uint32_t kRegionsMax = 256;
  static constexpr uint32_t kRegionPagesMax = 1u << 24;  // 64 GiB of a lease; the rest of a larger one is not used
  static constexpr uint32_t kClockStepsMax = 64;         // looked at for one place; bounds the time under the lock

  struct Where {
    uint32_t slab;
    uint32_t offset;
  };

  explicit LeasedPlaces(PageTable *pages) : pages_(pages) {}

  static uint32_t RegionOf(uint32_t place) { return place >> 24; }
  Where WhereOf(uint32_t place) const;

  // kNone: there are kRegionsMax already.
  uint32_t AddRegion(uint32_t slabs, uint32_t slab_bytes);
  // Its pages are in the file alone from now on.
  void RemoveRegion(uint32_t region);
  void RemoveSlab(uint32_t region, uint32_t slab);
  // The least used slabs, at most `count`.
  std::vector<uint32_t> ColdestSlabs(uint32_t region, uint32_t count) const;
  // Stops taking places of it, or starts again.
  void Pause(uint32_t region, bool paused) { regions_[region]->paused = paused; }

  // A pinned place for `page`, not in the page's state yet. kNone: none within `steps` of the clock.
  uint32_t Take(uint64_t page, uint32_t steps);
  // Assigns a taken place to its page, unless the place is gone.
  void Attach(uint32_t place);
  // False: it cannot be used now, its region is paused or its slab is gone.
  bool Pin(uint32_t place);
  void Unpin(uint32_t place);
  // Removes the place of a page. A pinned place is freed with its last Unpin.
  void Free(uint32_t place);

  uint64_t used() const { return used_; }
  uint64_t capacity() const { return capacity_; }
  uint64_t evictions() const { return evictions_; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Place {
    uint32_t page = kFree;
    uint16_t pins = 0;
    bool is_used = false;  // since the hand came by
    bool gone = false;
  };
  struct Region {
    uint32_t slab_bytes;
    std::vector<Place> places;
    std::vector<uint32_t> free;  // places that were never taken or were given back; gone ones among them
    uint32_t pins = 0;
    bool paused = false;
    bool removed = false;
  };

  Place &At(uint32_t place) { return regions_[RegionOf(place)]->places[place & (kRegionPagesMax - 1)]; }
  uint32_t TakeFree(Region *region, uint32_t number);
  uint32_t TakeUnused(uint32_t steps);
  void Detach(Place *place, uint32_t number);
  void Reap(uint32_t region);

  PageTable *const pages_;
  std::array<std::unique_ptr<Region>, kRegionsMax> regions_;
  uint32_t hand_region_ = 0;
  uint32_t hand_page_ = 0;
  uint64_t used_ = 0;
  uint64_t capacity_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace exopool
