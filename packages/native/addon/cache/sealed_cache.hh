// SPDX-License-Identifier: Apache-2.0
// A cache over leased memory: the index is local, the values are sealed and remote.
//
//   key -> keyed hash, 128 bits: 64 find the entry (sealed_index.hh), 64 are sealed with the value and checked
//   entry -> segment, offset, length (segment_log.hh) -> READ of one producer -> opened as it arrives
//
// Index and log change at once, when a call is made, on JavaScript's thread alone, so they need no locks. Requests to
// one producer take effect in the order in which they are made: a read never overtakes an earlier write, and the reads
// of an evicted segment come before its overwrite. An answer counts only if the key still has exactly the place that
// was read: a delete or overwrite changes the place.
//
// Before an evicted segment is reused, its used values are read; when they arrive they are written to another segment
// (Move). Slabs that a producer reclaims are emptied in the same way.
#pragma once

#include <string_view>
#include <unordered_map>

#include "cache/cache_batches.hh"
#include "cache/ghost_set.hh"
#include "cache/segment_log.hh"
#include "slab/slab_client_loop.hh"

namespace exopool {

struct CacheCounts {
  uint64_t hits = 0, misses = 0, puts = 0, rejected = 0, evictions = 0, tampered = 0, moved = 0;
};

class SealedCache {
 public:
  static constexpr uint64_t kMovingBytesMax = 16u << 20;  // values that are moving to another segment

  SealedCache(SealMode mode, SlabClientLoop *loop, std::shared_ptr<CacheAnswers> answers);

  // Uses a session's slabs from now on. False: no such session.
  bool AddRegion(uint64_t session, uint32_t slabs, uint32_t slab_bytes);
  // Forgets all values in them, at once.
  void RemoveRegion(uint64_t session);
  void RemoveSlab(uint64_t session, uint32_t slab);
  // Values of the session that failed verification; 0 for a session that is not in use.
  uint64_t TamperedOf(uint64_t session) const;
  // Moves the most used values of the `count` least used slabs, and forgets these slabs. Returns them. The caller may
  // release them at once, since the producer gets the release after the reads.
  std::vector<uint32_t> Vacate(uint64_t session, uint32_t count);

  // True: the answer for `token` follows. False: the key is not in the cache.
  bool Get(std::string_view key, uint64_t token);
  // False: it was not admitted. Values are sealed at once, and written by EndPuts.
  bool Put(std::string_view key, std::string_view value);
  // Returns how many kWritten answers with `token` follow.
  uint32_t EndPuts(uint64_t token);
  void Delete(std::string_view key);
  bool MayHold(std::string_view key);

  // Frames the collected requests. Send sends them; SendAndWait waits on this thread for an answer, until `end_ns`.
  void EndGets();
  void Send();
  bool SendAndWait(uint64_t end_ns);

  // Processes an answer. False: it is not for JavaScript, which only gets the answers that it waits for and every
  // kTampered. A kFound that no longer counts becomes kLost.
  bool Settle(CacheAnswer *answer);

  const CacheCounts &counts() const { return counts_; }
  size_t entries() const { return index_.size(); }
  uint64_t value_bytes() const { return value_bytes_; }
  uint64_t capacity_bytes() const { return log_.capacity_bytes(); }
  size_t metadata_bytes() const { return index_.memory_bytes() + log_.memory_bytes() + ghosts_.memory_bytes(); }

 private:
  struct Region {
    std::shared_ptr<ClientSession> session;
    std::shared_ptr<LeaseSeal> seal;
    std::vector<CacheRead> reads;
    std::vector<CacheRead> moves;
    std::vector<uint8_t> sealed;  // values to write, back to back, in runs
    std::vector<SlabRequest> runs;
    std::vector<size_t> run_starts;
    std::vector<CachePlace> written;
    std::vector<uint32_t> run_counts;
    bool to_send = false;
    uint64_t tampered = 0;
  };
  struct Moving {
    uint64_t write;    // of its old place
    uint64_t session;  // that has it there
  };
  struct KeyHash {
    uint64_t hash;
    uint64_t check;
  };

  KeyHash HashOf(std::string_view key) const;
  CachePlace PlaceOf(const IndexEntry &entry);
  SealPlace SealPlaceOf(const CachePlace &place);
  IndexEntry *Current(const CachePlace &place);
  void Store(uint64_t hash, SegmentQueue queue, Bytes head, Bytes body);
  void Forget(IndexEntry *entry);
  void Evict(uint32_t segment, bool lost);
  bool Move(const IndexEntry &entry);
  bool Submit(Region *region, std::vector<CacheRead> *reads, CacheAnswerKind found);
  bool SettleMove(const CacheAnswer &answer);
  void CountTampered(uint64_t session);
  uint32_t ValueBytesOf(const IndexEntry &entry) const;

  const SealMode mode_;
  SlabClientLoop *const loop_;
  const std::shared_ptr<CacheAnswers> answers_;
  const SealKey master_;
  const SipHash hash_;
  SealedIndex index_;
  GhostSet ghosts_;
  SegmentLog log_;
  std::unordered_map<uint64_t, Region> regions_;
  // Values that are moving, by hash; a delete or a put of the key ends the move.
  std::unordered_map<uint64_t, Moving> moving_;
  uint64_t moving_bytes_ = 0;
  uint64_t leases_ = 0;
  uint64_t value_bytes_ = 0;
  CacheCounts counts_;
};

}  // namespace exopool
