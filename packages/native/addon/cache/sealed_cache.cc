// SPDX-License-Identifier: Apache-2.0
#include "cache/sealed_cache.hh"

#include <algorithm>

namespace exopool {
namespace {

Bytes BytesOf(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

SealedCache::SealedCache(SealMode mode, SlabClientLoop *loop, std::shared_ptr<CacheAnswers> answers)
    : mode_(mode),
      loop_(loop),
      answers_(std::move(answers)),
      master_(NewSealKey()),
      hash_(NewSealKey().data()),
      log_([this](uint32_t segment, bool lost) { Evict(segment, lost); }) {}

bool SealedCache::AddRegion(uint64_t session, uint32_t slabs, uint32_t slab_bytes) {
  auto found = loop_->Find(session);
  if (found == nullptr || regions_.count(session) != 0) return false;
  Region &region = regions_[session];
  region.session = std::move(found);
  region.seal = std::make_shared<LeaseSeal>(mode_, master_, ++leases_);
  log_.AddRegion(session, slabs, slab_bytes);
  return true;
}

void SealedCache::RemoveRegion(uint64_t session) {
  const auto region = regions_.find(session);
  if (region == regions_.end()) return;
  // Framed requests are still awaited, though their answers no longer count.
  if (region->second.to_send) loop_->Send(region->second.session.get());
  log_.RemoveRegion(session);
  regions_.erase(region);
}

void SealedCache::RemoveSlab(uint64_t session, uint32_t slab) {
  if (regions_.count(session) != 0) log_.RemoveSlab(session, slab);
}

uint64_t SealedCache::TamperedOf(uint64_t session) const {
  const auto region = regions_.find(session);
  return region == regions_.end() ? 0 : region->second.tampered;
}

std::vector<uint32_t> SealedCache::Vacate(uint64_t session, uint32_t count) {
  const auto region = regions_.find(session);
  if (region == regions_.end()) return {};
  // Sums up the uses of each slab's values, by a walk over its segments.
  std::unordered_map<uint32_t, uint64_t> uses;
  std::vector<IndexEntry> used;
  for (uint32_t number = 0; number < log_.segments().size(); ++number) {
    const Segment &segment = log_[number];
    if (!segment.exists || segment.region != session) continue;
    uint64_t &sum = uses[segment.slab];
    for (size_t at = 0; at < segment.prefixes.size(); at += 3) {
      const uint8_t *bytes = &segment.prefixes[at];
      const uint32_t prefix = uint32_t{bytes[0]} << 16 | uint32_t{bytes[1]} << 8 | bytes[2];
      index_.EraseWithPrefix(prefix, [&](const IndexEntry &entry) {
        if (entry.segment == number && entry.uses > 0) {
          sum += uint64_t{entry.uses} * entry.length;
          used.push_back(entry);
        }
        return false;
      });
    }
  }
  std::vector<std::pair<uint64_t, uint32_t>> coldest;
  for (const auto &[slab, sum] : uses) coldest.push_back({sum, slab});
  std::sort(coldest.begin(), coldest.end());
  coldest.resize(std::min<size_t>(count, coldest.size()));
  std::vector<uint32_t> slabs;
  for (const auto &each : coldest) slabs.push_back(each.second);
  std::sort(used.begin(), used.end(), [](const IndexEntry &a, const IndexEntry &b) { return a.uses > b.uses; });
  for (const IndexEntry &entry : used) {
    const bool leaves = std::count(slabs.begin(), slabs.end(), log_[entry.segment].slab) > 0;
    // Two values of one prefix were found twice.
    if (leaves && moving_.count(entry.hash) == 0) Move(entry);
  }
  for (const uint32_t slab : slabs) log_.RemoveSlab(session, slab);
  Submit(&region->second, &region->second.moves, CacheAnswerKind::kMoved);
  loop_->Send(region->second.session.get());
  return slabs;
}

bool SealedCache::Get(std::string_view key, uint64_t token) {
  const auto [hash, check] = HashOf(key);
  IndexEntry *const entry = index_.Find(hash);
  if (entry == nullptr) {
    ++counts_.misses;
    return false;
  }
  const CachePlace place = PlaceOf(*entry);
  regions_.at(log_[place.segment].region).reads.push_back({token, check, place, SealPlaceOf(place)});
  return true;
}

bool SealedCache::Put(std::string_view key, std::string_view value) {
  const auto [hash, check] = HashOf(key);
  ++counts_.puts;
  moving_.erase(hash);
  SegmentQueue queue = ghosts_.Take(hash) ? SegmentQueue::kMain : SegmentQueue::kProbation;
  if (IndexEntry *const older = index_.Find(hash)) {
    queue = log_[older->segment].queue;
    Forget(older);
  }
  if (value.size() >= SegmentLog::kSegmentBytesMax) {
    ++counts_.rejected;
    return false;
  }
  Store(hash, queue, {&check, sizeof check}, BytesOf(value));
  const bool admitted = index_.Find(hash) != nullptr;
  if (!admitted) ++counts_.rejected;
  return admitted;
}

void SealedCache::Store(uint64_t hash, SegmentQueue queue, Bytes head, Bytes body) {
  const uint32_t length = SealedBytes(mode_, static_cast<uint32_t>(head.size + body.size));
  const std::optional<SegmentLog::Place> at = log_.Append(queue, length, hash);
  if (!at) return;
  IndexEntry entry{};
  entry.hash = hash;
  entry.segment = at->segment;
  entry.offset = at->offset;
  entry.length = length;
  index_.Insert(entry);
  value_bytes_ += ValueBytesOf(entry);
  const CachePlace place = PlaceOf(entry);
  Region &region = regions_.at(log_[at->segment].region);
  const SealPlace seal = SealPlaceOf(place);
  const bool adjacent = !region.runs.empty() && region.runs.back().slab == seal.slab &&
                        region.runs.back().offset + region.runs.back().length == seal.offset &&
                        region.runs.back().length + length <= SLAB_PAYLOAD_MAX;
  if (!adjacent) {
    region.runs.push_back({SLAB_WRITE, seal.slab, seal.offset, 0, nullptr});
    region.run_starts.push_back(region.sealed.size());
    region.run_counts.push_back(0);
  }
  region.runs.back().length += length;
  ++region.run_counts.back();
  region.written.push_back(place);
  region.sealed.resize(region.sealed.size() + length);
  region.seal->Seal(seal, head, body, region.sealed.data() + region.sealed.size() - length);
}

uint32_t SealedCache::EndPuts(uint64_t token) {
  // Reads of an evicted segment must be requested before it is overwritten.
  for (auto &[id, region] : regions_) Submit(&region, &region.moves, CacheAnswerKind::kMoved);
  uint32_t batches = 0;
  for (auto &[id, region] : regions_) {
    if (region.runs.empty()) continue;
    for (size_t i = 0; i < region.runs.size(); ++i)
      region.runs[i].payload = region.sealed.data() + region.run_starts[i];
    auto places = region.written;
    auto batch =
        std::make_shared<CacheWriteBatch>(answers_, token, std::move(region.written), std::move(region.run_counts));
    if (region.session->Submit(region.runs, std::move(batch))) {
      ++batches;
      region.to_send = true;
    } else {
      for (const CachePlace &place : places) {
        if (IndexEntry *const entry = Current(place)) Forget(entry);
      }
    }
    region.written.clear();
    region.run_counts.clear();
    region.runs.clear();
    region.run_starts.clear();
    region.sealed.clear();
  }
  return batches;
}

void SealedCache::Delete(std::string_view key) {
  const uint64_t hash = HashOf(key).hash;
  moving_.erase(hash);
  if (IndexEntry *const entry = index_.Find(hash)) Forget(entry);
}

bool SealedCache::MayHold(std::string_view key) { return index_.Find(HashOf(key).hash) != nullptr; }

void SealedCache::EndGets() {
  for (auto &[id, region] : regions_) Submit(&region, &region.reads, CacheAnswerKind::kFound);
}

bool SealedCache::Submit(Region *region, std::vector<CacheRead> *reads, CacheAnswerKind found) {
  if (reads->empty()) return true;
  std::vector<SlabRequest> requests;
  requests.reserve(reads->size());
  for (const CacheRead &read : *reads)
    requests.push_back({SLAB_READ, read.seal.slab, read.seal.offset, read.seal.length, nullptr});
  const auto batch = std::make_shared<CacheReadBatch>(answers_, region->seal, mode_, found, std::exchange(*reads, {}));
  if (region->session->Submit(requests, batch)) return region->to_send = true;
  for (const CacheRead &read : batch->reads())
    answers_->Push({CacheAnswerKind::kLost, read.token, read.place, nullptr, 0});
  answers_->Wake();
  return false;
}

void SealedCache::Send() {
  for (auto &[id, region] : regions_) {
    if (std::exchange(region.to_send, false)) loop_->Send(region.session.get());
  }
}

bool SealedCache::SendAndWait(uint64_t end_ns) {
  Region *only = nullptr;
  for (auto &[id, region] : regions_) {
    if (!region.to_send) continue;
    if (only != nullptr) {
      Send();
      return false;
    }
    only = &region;
  }
  if (only == nullptr) return false;
  only->to_send = false;
  answers_->SetPolled(true);
  const bool done = loop_->SendAndWait(only->session.get(), end_ns);
  answers_->SetPolled(false);
  if (!done) loop_->Send(only->session.get());  // the client's thread receives it
  return !answers_->empty();
}

bool SealedCache::Settle(CacheAnswer *answer) {
  switch (answer->kind) {
    case CacheAnswerKind::kWritten:
      return answer->token != 0;
    case CacheAnswerKind::kUnwritten:
      if (IndexEntry *const entry = Current(answer->place)) Forget(entry);
      return false;
    default:
      break;
  }
  if (answer->token == 0) return SettleMove(*answer);
  IndexEntry *const entry = Current(answer->place);
  if (entry == nullptr) {
    answer->kind = CacheAnswerKind::kLost;
  } else if (answer->kind == CacheAnswerKind::kFound) {
    entry->uses = std::min<uint64_t>(entry->uses + 1, IndexEntry::kUsesMax);
  } else if (answer->kind != CacheAnswerKind::kRefused) {
    if (answer->kind == CacheAnswerKind::kTampered) CountTampered(log_[answer->place.segment].region);
    Forget(entry);
  }
  ++(answer->kind == CacheAnswerKind::kFound ? counts_.hits : counts_.misses);
  return true;
}

bool SealedCache::SettleMove(const CacheAnswer &answer) {
  moving_bytes_ -= answer.place.length;
  const auto moving = moving_.find(answer.place.hash);
  if (moving == moving_.end() || moving->second.write != answer.place.write) return false;
  // Its segment may be another session's by then.
  const uint64_t session = moving->second.session;
  moving_.erase(moving);
  if (answer.kind == CacheAnswerKind::kTampered) {
    CountTampered(session);
    return true;
  }
  if (answer.kind != CacheAnswerKind::kMoved || index_.Find(answer.place.hash) != nullptr) return false;
  ++counts_.moved;
  Store(answer.place.hash, SegmentQueue::kMain, {answer.bytes.get(), answer.size}, {nullptr, 0});
  return false;
}

void SealedCache::CountTampered(uint64_t session) {
  ++counts_.tampered;
  if (const auto region = regions_.find(session); region != regions_.end()) ++region->second.tampered;
}

SealedCache::KeyHash SealedCache::HashOf(std::string_view key) const {
  uint64_t words[2];
  hash_.Compute(key.data(), key.size(), reinterpret_cast<uint8_t *>(words));
  return {words[0] == 0 ? 1 : words[0], words[1]};
}

CachePlace SealedCache::PlaceOf(const IndexEntry &entry) {
  return {entry.hash, log_[entry.segment].write, static_cast<uint32_t>(entry.segment),
          static_cast<uint32_t>(entry.offset), static_cast<uint32_t>(entry.length)};
}

SealPlace SealedCache::SealPlaceOf(const CachePlace &place) {
  const Segment &segment = log_[place.segment];
  return {place.write, segment.slab, segment.start + place.offset, place.length};
}

// The entry with exactly this place, if it still exists.
IndexEntry *SealedCache::Current(const CachePlace &place) {
  IndexEntry *const entry = index_.Find(place.hash);
  const bool same = entry != nullptr && entry->segment == place.segment && entry->offset == place.offset &&
                    entry->length == place.length && log_[place.segment].write == place.write;
  return same ? entry : nullptr;
}

void SealedCache::Forget(IndexEntry *entry) {
  value_bytes_ -= ValueBytesOf(*entry);
  index_.Erase(entry->hash);
}

// At most half of a segment is kept, so that there is room for new values.
void SealedCache::Evict(uint32_t number, bool lost) {
  Segment &segment = log_[number];
  uint64_t moved_bytes = 0;
  const uint32_t uses_kept = segment.queue == SegmentQueue::kMain ? 1 : 2;
  for (size_t at = 0; at < segment.prefixes.size(); at += 3) {
    const uint8_t *bytes = &segment.prefixes[at];
    const uint32_t prefix = uint32_t{bytes[0]} << 16 | uint32_t{bytes[1]} << 8 | bytes[2];
    index_.EraseWithPrefix(prefix, [&](const IndexEntry &entry) {
      if (entry.segment != number) return false;
      value_bytes_ -= ValueBytesOf(entry);
      if (lost) return true;
      const bool keep = entry.uses >= uses_kept && moved_bytes + entry.length <= segment.bytes / 2;
      if (keep && Move(entry)) {
        moved_bytes += entry.length;
      } else {
        ++counts_.evictions;
        if (segment.queue == SegmentQueue::kProbation) ghosts_.Add(entry.hash, index_.size());
      }
      return true;
    });
  }
  segment.prefixes.clear();
}

bool SealedCache::Move(const IndexEntry &entry) {
  const CachePlace place = PlaceOf(entry);
  if (moving_bytes_ + place.length > kMovingBytesMax) return false;
  moving_bytes_ += place.length;
  const uint64_t session = log_[place.segment].region;
  moving_[place.hash] = {place.write, session};
  regions_.at(session).moves.push_back({0, 0, place, SealPlaceOf(place)});
  return true;
}

uint32_t SealedCache::ValueBytesOf(const IndexEntry &entry) const {
  return PlainBytesMax(mode_, static_cast<uint32_t>(entry.length)) - kCheckBytes;
}

}  // namespace exopool
