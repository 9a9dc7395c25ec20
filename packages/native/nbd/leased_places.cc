// SPDX-License-Identifier: Apache-2.0
#include "leased_places.hh"

#include <algorithm>
#include <numeric>

namespace exopool {

LeasedPlaces::Where LeasedPlaces::WhereOf(uint32_t place) const {
  const uint32_t per_slab = regions_[RegionOf(place)]->slab_bytes / kPageBytes;
  const uint32_t page = place & (kRegionPagesMax - 1);
  return {page / per_slab, page % per_slab * kPageBytes};
}

uint32_t LeasedPlaces::AddRegion(uint32_t slabs, uint32_t slab_bytes) {
  const auto found = std::find(regions_.begin(), regions_.end(), nullptr);
  const uint32_t per_slab = slab_bytes / kPageBytes;
  if (found == regions_.end() || per_slab == 0) return kNone;
  const auto number = static_cast<uint32_t>(found - regions_.begin());
  const uint64_t pages = std::min<uint64_t>(uint64_t{slabs} * per_slab, kRegionPagesMax);
  auto region = std::make_unique<Region>();
  region->slab_bytes = slab_bytes;
  region->places.resize(pages);
  region->free.resize(pages);
  // The last is taken first, so places are taken in order of address: pages written together are read in one request.
  std::iota(region->free.rbegin(), region->free.rend(), 0u);
  capacity_ += pages;
  *found = std::move(region);
  return number;
}

void LeasedPlaces::RemoveRegion(uint32_t number) {
  Region &region = *regions_[number];
  region.removed = true;
  for (uint32_t page = 0; page < region.places.size(); ++page) {
    Place &place = region.places[page];
    if (!place.gone) --capacity_;
    place.gone = true;
    Detach(&place, number << 24 | page);
  }
  Reap(number);
}

void LeasedPlaces::RemoveSlab(uint32_t number, uint32_t slab) {
  Region &region = *regions_[number];
  const uint64_t per_slab = region.slab_bytes / kPageBytes;
  const uint64_t end = std::min<uint64_t>((uint64_t{slab} + 1) * per_slab, region.places.size());
  for (uint64_t page = slab * per_slab; page < end; ++page) {
    Place &place = region.places[page];
    if (!place.gone) --capacity_;
    place.gone = true;
    Detach(&place, number << 24 | static_cast<uint32_t>(page));
  }
}

std::vector<uint32_t> LeasedPlaces::ColdestSlabs(uint32_t number, uint32_t count) const {
  const Region &region = *regions_[number];
  const uint32_t per_slab = region.slab_bytes / kPageBytes;
  std::vector<std::pair<uint32_t, uint32_t>> warmth;  // a page counts one, one in use two
  for (uint32_t first = 0; first < region.places.size(); first += per_slab) {
    if (region.places[first].gone) continue;
    uint32_t sum = 0;
    const auto end = std::min<size_t>(region.places.size(), size_t{first} + per_slab);
    for (size_t page = first; page < end; ++page) {
      const Place &place = region.places[page];
      if (place.page != kFree) sum += place.is_used ? 2 : 1;
    }
    warmth.emplace_back(sum, first / per_slab);
  }
  std::sort(warmth.begin(), warmth.end());
  warmth.resize(std::min<size_t>(warmth.size(), count));
  std::vector<uint32_t> slabs;
  for (const auto &[sum, slab] : warmth) slabs.push_back(slab);
  return slabs;
}

uint32_t LeasedPlaces::Take(uint64_t page, uint32_t steps) {
  uint32_t most = kNone;
  for (uint32_t number = 0; number < kRegionsMax; ++number) {
    const Region *region = regions_[number].get();
    if (region == nullptr || region->removed || region->paused || region->free.empty()) continue;
    if (most == kNone || region->free.size() > regions_[most]->free.size()) most = number;
  }
  // From the region with the most free places, so that producers share load and risk.
  uint32_t place = most == kNone ? kNone : TakeFree(regions_[most].get(), most);
  if (place == kNone) place = TakeUnused(steps);
  if (place == kNone) return kNone;
  Place &taken = At(place);
  taken.page = static_cast<uint32_t>(page);
  taken.is_used = false;
  ++used_;
  Pin(place);
  return place;
}

uint32_t LeasedPlaces::TakeFree(Region *region, uint32_t number) {
  while (!region->free.empty()) {
    const uint32_t page = region->free.back();
    region->free.pop_back();
    if (!region->places[page].gone) return number << 24 | page;
  }
  return kNone;
}

uint32_t LeasedPlaces::TakeUnused(uint32_t steps) {
  uint32_t empty = 0;  // regions in a row without a step
  while (steps > 0 && empty <= kRegionsMax) {
    Region *region = regions_[hand_region_].get();
    if (region == nullptr || region->removed || region->paused || hand_page_ >= region->places.size()) {
      hand_region_ = (hand_region_ + 1) % kRegionsMax;
      hand_page_ = 0;
      ++empty;
      continue;
    }
    empty = 0;
    --steps;
    const uint32_t number = hand_region_ << 24 | hand_page_;
    Place &place = region->places[hand_page_++];
    if (place.gone || place.page == kFree || place.pins > 0) continue;
    if (!place.is_used) {
      (*pages_)[place.page].place = kNone;
      place.page = kFree;
      --used_;
      ++evictions_;
      return number;
    }
    place.is_used = false;
  }
  return kNone;
}

void LeasedPlaces::Attach(uint32_t number) {
  const Place &place = At(number);
  if (place.page != kFree) (*pages_)[place.page].place = number;
}

bool LeasedPlaces::Pin(uint32_t number) {
  Region &region = *regions_[RegionOf(number)];
  Place &place = At(number);
  if (place.gone || region.paused || place.pins == UINT16_MAX) return false;
  place.is_used = true;
  ++place.pins;
  ++region.pins;
  return true;
}

void LeasedPlaces::Unpin(uint32_t number) {
  const uint32_t region = RegionOf(number);
  Place &place = At(number);
  --regions_[region]->pins;
  // Freed while it was pinned: now it can be reused.
  if (--place.pins == 0 && place.page == kFree && !place.gone)
    regions_[region]->free.push_back(number & (kRegionPagesMax - 1));
  Reap(region);
}

void LeasedPlaces::Free(uint32_t number) {
  Place &place = At(number);
  if (place.page == kFree) return;
  Detach(&place, number);
  if (place.pins == 0 && !place.gone) regions_[RegionOf(number)]->free.push_back(number & (kRegionPagesMax - 1));
}

void LeasedPlaces::Detach(Place *place, uint32_t number) {
  if (place->page == kFree) return;
  PageState &page = (*pages_)[place->page];
  if (page.place == number) page.place = kNone;
  place->page = kFree;
  --used_;
}

// A region is forgotten, and its number free, once it has no request in flight.
void LeasedPlaces::Reap(uint32_t number) {
  if (regions_[number]->removed && regions_[number]->pins == 0) regions_[number].reset();
}

}  // namespace exopool
