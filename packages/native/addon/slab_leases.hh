// SPDX-License-Identifier: Apache-2.0
// Who may use which memory: the leases of one producer, and the memory behind them.
//
// A lease's slabs are anonymous mappings, made when its consumer first proves itself, so they are zero when
// new and cost nothing until they are touched; ending a lease unmaps them at once, whatever its sessions are
// doing. An ended lease's id is kept until its ticket would have expired: that ticket opens nothing any more.
//
// One thread uses a table. Time is an argument: Unix milliseconds.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "slab_crypto.hh"

namespace exopool {

using LeaseId = std::array<uint8_t, SLAB_LEASE_ID_BYTES>;

// One anonymous mapping.
class Slab {
 public:
  explicit Slab(size_t bytes);
  ~Slab();
  Slab(Slab &&other) noexcept;
  Slab(const Slab &) = delete;
  Slab &operator=(const Slab &) = delete;
  uint8_t *data() const { return data_; }  // null when the system had no address space left

 private:
  uint8_t *data_;
  size_t bytes_;
};

struct Lease {
  LeaseId id;
  Key consumer_key;
  uint32_t slab_count;
  uint32_t slab_bytes;
  uint64_t expires_at_ms;
  uint32_t serial;
  uint64_t age;             // leases are numbered as they are made
  std::vector<Slab> slabs;  // empty once the lease has ended
  slab_status ended = SLAB_OK;

  // The bytes of a range, or null when it is not all inside of one slab.
  uint8_t *Range(uint32_t slab, uint32_t offset, uint32_t length) const;
};

class LeaseTable {
 public:
  static constexpr size_t kEndedMax = 65536;  // ids remembered; each took a ticket of the broker. 4 MiB

  LeaseTable(uint32_t slab_bytes, uint32_t capacity_slabs)
      : slab_bytes_(slab_bytes), capacity_(capacity_slabs) {}

  // The lease of a checked ticket whose consumer is proven: found, or made. `refusal` is set when null.
  std::shared_ptr<Lease> Open(const slab_ticket &ticket, uint64_t now_ms, slab_refusal *refusal);
  // A later ticket moves the end; an earlier one changes nothing. False: not a ticket of this lease.
  bool Extend(Lease *lease, const slab_ticket &ticket);
  bool End(const LeaseId &id, slab_status why);
  void Expire(uint64_t now_ms);
  // Revokes whole leases, the youngest first, until the rest fits.
  void SetCapacity(uint32_t slabs);

  const std::map<LeaseId, std::shared_ptr<Lease>> &leases() const { return leases_; }
  uint32_t leased_slabs() const { return leased_; }
  uint32_t capacity_slabs() const { return capacity_; }
  uint64_t mapped_bytes() const { return uint64_t{leased_} * slab_bytes_; }
  uint64_t NextExpiryMs() const;                 // UINT64_MAX without leases
  uint64_t endings() const { return endings_; }  // counts ended leases: when it moved, sessions must be told

 private:
  const uint32_t slab_bytes_;
  uint32_t capacity_;
  uint32_t leased_ = 0;
  uint64_t made_ = 0;
  uint64_t endings_ = 0;
  std::map<LeaseId, std::shared_ptr<Lease>> leases_;
  std::map<LeaseId, uint64_t> ended_;  // id -> when its last known ticket expires
};

}  // namespace exopool
