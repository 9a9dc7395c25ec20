// SPDX-License-Identifier: Apache-2.0
// Who may use which memory: the leases of one producer, and the memory behind them.
//
// A lease's slabs are anonymous mappings, made when its consumer first proves itself, so they are zero when new and
// take no memory until they are touched. Ending a lease unmaps them at once, whatever its sessions are doing. An ended
// lease's id is kept until its ticket would have expired, so the ticket cannot open it again.
//
// Single slabs can go earlier: released by the consumer, or taken. Every change that sessions must report moves
// changes().
//
// One thread uses a table. Time is an argument: Unix milliseconds.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "slab/slab_crypto.hh"
#include "slab/token_bucket.hh"

namespace exopool {

using LeaseId = std::array<uint8_t, SLAB_LEASE_ID_BYTES>;

// One anonymous mapping, of huge pages if the system has them: they are mapped and unmapped ten times as fast.
class Slab {
 public:
  explicit Slab(size_t bytes);
  ~Slab() { Unmap(); }
  Slab(Slab &&other) noexcept;
  Slab(const Slab &) = delete;
  Slab &operator=(const Slab &) = delete;
  // Null if it is unmapped, or the system had no address space left.
  uint8_t *data() const { return data_; }
  void Unmap();

 private:
  uint8_t *data_;
  size_t bytes_;
};

// The rates of a lease; 0: no limit.
struct LeaseRates {
  double bytes_per_ms = 0;
  double requests_per_ms = 0;
  double burst_ms = 1000;
};

struct Lease {
  // Tickets: each costs a check of a signature, as long as a hundred reads, and a lease needs one in minutes.
  static constexpr double kExtendsPerMs = 0.01;
  static constexpr double kExtendBurstMs = 1600;

  LeaseId id;
  Key consumer_key;
  uint32_t slab_count;  // of its ticket
  uint32_t held;        // of these
  uint32_t slab_bytes;
  uint64_t expires_at_ms;
  uint32_t serial;
  uint64_t age;             // leases are numbered as they are made
  std::vector<Slab> slabs;  // empty once the lease has ended
  slab_status ended = SLAB_OK;
  std::vector<uint32_t> gone;  // slabs that are no longer held, in the order in which they went
  uint32_t asked_times = 0;    // times that RECLAIM was sent; the last one:
  uint32_t asked_slabs = 0;
  uint32_t asked_grace_ms = 0;
  TokenBucket bytes{0, 0};
  TokenBucket requests{0, 0};
  TokenBucket extends{kExtendsPerMs, kExtendBurstMs};

  // SLAB_OK and the bytes of a range, or why there are none.
  slab_status Range(uint32_t slab, uint32_t offset, uint32_t length, uint8_t **data) const;
};

class LeaseTable {
 public:
  static constexpr size_t kEndedMax = 65536;  // ids remembered; each took a ticket of the broker. 4 MiB

  LeaseTable(uint32_t slab_bytes, uint32_t capacity_slabs, LeaseRates rates = {})
      : slab_bytes_(slab_bytes), capacity_(capacity_slabs), rates_(rates) {}

  // The lease of a checked ticket with a proven consumer: found, or made. Null with `refusal` set.
  std::shared_ptr<Lease> Open(const slab_ticket &ticket, uint64_t now_ms, slab_refusal *refusal);
  // A later ticket moves the end; an earlier one changes nothing. False: not a ticket of this lease.
  bool Extend(Lease *lease, const slab_ticket &ticket);
  bool End(const LeaseId &id, slab_status why);
  void Expire(uint64_t now_ms);
  // Sets the leasable capacity. It takes no leased slabs.
  void Admit(uint32_t slabs) { capacity_ = slabs; }
  // As Admit, and takes slabs until the rest fits, from the youngest lease first.
  void SetCapacity(uint32_t slabs);
  // Asks for slabs back. False: no such lease.
  bool Ask(const LeaseId &id, uint32_t slabs, uint32_t grace_ms);
  // Takes up to `slabs`, the highest numbers first; a lease without slabs has ended.
  uint32_t Take(const LeaseId &id, uint32_t slabs);
  // One slab given back by its consumer.
  slab_status Release(Lease *lease, uint32_t slab);

  const std::map<LeaseId, std::shared_ptr<Lease>> &leases() const { return leases_; }
  uint32_t leased_slabs() const { return leased_; }
  uint32_t capacity_slabs() const { return capacity_; }
  uint64_t mapped_bytes() const { return uint64_t{leased_} * slab_bytes_; }
  uint64_t NextExpiryMs() const;                 // UINT64_MAX without leases
  uint64_t changes() const { return changes_; }  // when it moves, sessions must send notices
  uint64_t taken_slabs() const { return taken_; }
  uint64_t released_slabs() const { return released_; }

 private:
  void Drop(Lease *lease, uint32_t slab);

  const uint32_t slab_bytes_;
  uint32_t capacity_;
  const LeaseRates rates_;
  uint32_t leased_ = 0;
  uint64_t made_ = 0;
  uint64_t changes_ = 0;
  uint64_t taken_ = 0;
  uint64_t released_ = 0;
  std::map<LeaseId, std::shared_ptr<Lease>> leases_;
  std::map<LeaseId, uint64_t> ended_;  // id -> when its last known ticket expires
};

}  // namespace exopool
