// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_leases.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace exopool {
namespace {

constexpr size_t kHugeBytes = 2 * 1024 * 1024;

// The start of a mapping of `bytes` that can have huge pages; null without address space.
uint8_t *MapAligned(size_t bytes, size_t alignment) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const size_t room = bytes + (alignment > 1 ? alignment : 0);
  void *mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = (begin + alignment - 1) / alignment * alignment;
  if (aligned > begin) munmap(mapped, aligned - begin);
  if (begin + room > aligned + bytes) munmap(reinterpret_cast<void *>(aligned + bytes), begin + room - aligned - bytes);
  return reinterpret_cast<uint8_t *>(aligned);
}

}  // namespace

Slab::Slab(size_t bytes) : bytes_(bytes) {
  const bool huge = bytes % kHugeBytes == 0;
  data_ = MapAligned(bytes, huge ? kHugeBytes : 1);
  // Only a hint: without huge pages it gets small pages.
  if (huge && data_ != nullptr) madvise(data_, bytes, MADV_HUGEPAGE);
}

Slab::Slab(Slab &&other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }

void Slab::Unmap() {
  if (data_ != nullptr) munmap(data_, bytes_);
  data_ = nullptr;
}

slab_status Lease::Range(uint32_t slab, uint32_t offset, uint32_t length, uint8_t **data) const {
  if (slab >= slabs.size() || offset > slab_bytes || length > slab_bytes - offset) return SLAB_BAD_RANGE;
  if (slabs[slab].data() == nullptr) return SLAB_NOT_HELD;
  *data = slabs[slab].data() + offset;
  return SLAB_OK;
}

std::shared_ptr<Lease> LeaseTable::Open(const slab_ticket &ticket, uint64_t now_ms, slab_refusal *refusal) {
  LeaseId id;
  memcpy(id.data(), ticket.lease_id, id.size());
  if (const auto found = leases_.find(id); found != leases_.end()) {
    if (Extend(found->second.get(), ticket)) return found->second;
    *refusal = SLAB_REFUSE_DENIED;
    return nullptr;
  }
  Expire(now_ms);
  if (ended_.count(id) != 0) {
    *refusal = SLAB_REFUSE_LEASE_ENDED;
    return nullptr;
  }
  auto lease = std::make_shared<Lease>();
  *refusal = SLAB_REFUSE_NO_MEMORY;
  if (ticket.slabs > capacity_ - std::min(capacity_, leased_) || ended_.size() + leases_.size() >= kEndedMax)
    return nullptr;
  for (uint32_t i = 0; i < ticket.slabs; ++i) {
    lease->slabs.emplace_back(slab_bytes_);
    if (lease->slabs.back().data() == nullptr) return nullptr;
  }
  lease->id = id;
  memcpy(lease->consumer_key.data(), ticket.consumer_key, SLAB_KEY_BYTES);
  lease->slab_count = ticket.slabs;
  lease->held = ticket.slabs;
  lease->bytes = TokenBucket(rates_.bytes_per_ms, rates_.burst_ms);
  lease->requests = TokenBucket(rates_.requests_per_ms, rates_.burst_ms);
  lease->slab_bytes = slab_bytes_;
  lease->expires_at_ms = ticket.expires_at_ms;
  lease->serial = ticket.serial;
  lease->age = made_++;
  leased_ += ticket.slabs;
  leases_.emplace(id, lease);
  *refusal = SLAB_REFUSE_NONE;
  return lease;
}

bool LeaseTable::Extend(Lease *lease, const slab_ticket &ticket) {
  const bool same = memcmp(lease->id.data(), ticket.lease_id, SLAB_LEASE_ID_BYTES) == 0 &&
                    memcmp(lease->consumer_key.data(), ticket.consumer_key, SLAB_KEY_BYTES) == 0 &&
                    lease->slab_count == ticket.slabs && lease->slab_bytes == ticket.slab_bytes;
  if (!same) return false;
  if (ticket.serial > lease->serial) {
    lease->serial = ticket.serial;
    lease->expires_at_ms = std::max(lease->expires_at_ms, ticket.expires_at_ms);
  }
  return true;
}

bool LeaseTable::End(const LeaseId &id, slab_status why) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return false;
  const std::shared_ptr<Lease> lease = found->second;
  leases_.erase(found);
  lease->ended = why;
  lease->slabs.clear();
  leased_ -= lease->held;
  (why == SLAB_REVOKED ? taken_ : released_) += lease->held;
  lease->held = 0;
  ++changes_;
  if (why != SLAB_EXPIRED) ended_.emplace(id, lease->expires_at_ms);
  return true;
}

void LeaseTable::Expire(uint64_t now_ms) {
  std::vector<LeaseId> over;
  for (const auto &[id, lease] : leases_) {
    if (lease->expires_at_ms <= now_ms) over.push_back(id);
  }
  for (const LeaseId &id : over) End(id, SLAB_EXPIRED);
  for (auto at = ended_.begin(); at != ended_.end();) at = at->second <= now_ms ? ended_.erase(at) : std::next(at);
}

void LeaseTable::SetCapacity(uint32_t slabs) {
  Admit(slabs);
  while (leased_ > capacity_) {
    const auto youngest = std::max_element(leases_.begin(), leases_.end(),
                                           [](const auto &a, const auto &b) { return a.second->age < b.second->age; });
    Take(LeaseId(youngest->first), leased_ - capacity_);
  }
}

bool LeaseTable::Ask(const LeaseId &id, uint32_t slabs, uint32_t grace_ms) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return false;
  Lease &lease = *found->second;
  lease.asked_slabs = std::min(slabs, lease.held);
  lease.asked_grace_ms = grace_ms;
  ++lease.asked_times;
  ++changes_;
  return true;
}

uint32_t LeaseTable::Take(const LeaseId &id, uint32_t slabs) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return 0;
  const std::shared_ptr<Lease> lease = found->second;
  const uint32_t held = lease->held;
  if (slabs >= held) {
    End(id, SLAB_REVOKED);
    return held;
  }
  uint32_t left = slabs;
  for (uint32_t slab = lease->slab_count; left > 0 && slab-- > 0;) {
    if (lease->slabs[slab].data() == nullptr) continue;
    Drop(lease.get(), slab);
    --left;
  }
  taken_ += slabs;
  return slabs;
}

slab_status LeaseTable::Release(Lease *lease, uint32_t slab) {
  if (slab >= lease->slabs.size()) return SLAB_BAD_RANGE;
  if (lease->slabs[slab].data() == nullptr) return SLAB_NOT_HELD;
  if (lease->held == 1) {
    End(lease->id, SLAB_RELEASED);
    return SLAB_OK;
  }
  Drop(lease, slab);
  ++released_;
  return SLAB_OK;
}

void LeaseTable::Drop(Lease *lease, uint32_t slab) {
  lease->slabs[slab].Unmap();
  lease->gone.push_back(slab);
  --lease->held;
  --leased_;
  ++changes_;
}

uint64_t LeaseTable::NextExpiryMs() const {
  uint64_t next = UINT64_MAX;
  for (const auto &[id, lease] : leases_) next = std::min(next, lease->expires_at_ms);
  return next;
}

}  // namespace exopool
