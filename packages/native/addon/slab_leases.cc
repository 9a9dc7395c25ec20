// SPDX-License-Identifier: Apache-2.0
#include "slab_leases.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace exopool {

Slab::Slab(size_t bytes) : bytes_(bytes) {
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  data_ = at == MAP_FAILED ? nullptr : static_cast<uint8_t *>(at);
}

Slab::Slab(Slab &&other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }

Slab::~Slab() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

uint8_t *Lease::Range(uint32_t slab, uint32_t offset, uint32_t length) const {
  if (slab >= slabs.size() || offset > slab_bytes || length > slab_bytes - offset) return nullptr;
  return slabs[slab].data() + offset;
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
  leased_ -= lease->slab_count;
  ++endings_;
  if (why != SLAB_EXPIRED) ended_.emplace(id, lease->expires_at_ms);
  return true;
}

void LeaseTable::Expire(uint64_t now_ms) {
  std::vector<LeaseId> over;
  for (const auto &[id, lease] : leases_) {
    if (lease->expires_at_ms <= now_ms) over.push_back(id);
  }
  for (const LeaseId &id : over) End(id, SLAB_EXPIRED);
  for (auto at = ended_.begin(); at != ended_.end();)
    at = at->second <= now_ms ? ended_.erase(at) : std::next(at);
}

void LeaseTable::SetCapacity(uint32_t slabs) {
  capacity_ = slabs;
  while (leased_ > capacity_) {
    const auto youngest = std::max_element(leases_.begin(), leases_.end(), [](const auto &a, const auto &b) {
      return a.second->age < b.second->age;
    });
    End(LeaseId(youngest->first), SLAB_REVOKED);
  }
}

uint64_t LeaseTable::NextExpiryMs() const {
  uint64_t next = UINT64_MAX;
  for (const auto &[id, lease] : leases_) next = std::min(next, lease->expires_at_ms);
  return next;
}

}  // namespace exopool
