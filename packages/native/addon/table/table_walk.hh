// SPDX-License-Identifier: Apache-2.0
// One lookup at user level that stops whenever it needs bytes of the file.
//
// The walk names the bytes to read and its driver reads them: pread blocks and goes on at once, io-uring has many walks
// in flight. All decisions about a page or a value are made here, so both give the same results and errors.
//
//   Start -> interior pages, from the table's cache or: read, Resume -> leaf -> value outside the leaf
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "chain.h"
#include "table/table_file.hh"
#include "table_filter.h"

namespace exopool {

// Keys end to end in one block, and their hashes.
class KeyBatch {
 public:
  void Add(const uint8_t *key, size_t length) { Add(key, length, exo_key_hash(key, length)); }
  void Add(const uint8_t *key, size_t length, uint64_t hash) {
    bytes_.insert(bytes_.end(), key, key + length);
    ends_.push_back(bytes_.size());
    hashes_.push_back(hash);
  }
  size_t size() const { return ends_.size(); }
  const uint8_t *data(size_t i) const { return bytes_.data() + begin(i); }
  size_t length(size_t i) const { return ends_[i] - begin(i); }
  uint64_t hash(size_t i) const { return hashes_[i]; }
  std::string_view view(size_t i) const { return {reinterpret_cast<const char *>(data(i)), length(i)}; }

 private:
  size_t begin(size_t i) const { return i == 0 ? 0 : ends_[i - 1]; }

  std::vector<uint8_t> bytes_;
  std::vector<size_t> ends_;
  std::vector<uint64_t> hashes_;
};

// A leaf that was read more than once lately, for a cache.
struct LeafCopy {
  uint64_t table_id;
  uint64_t offset;
  uint8_t page[EXO_PAGE_SIZE];
};

struct LookupResult {
  bool found = false;    // with a value
  bool deleted = false;  // with a tombstone
  std::vector<uint8_t> value;
  Failure failure;
  std::shared_ptr<TableFile> failed_in;
  std::unique_ptr<LeafCopy> leaf;

  // False: this table does not have the key, but an older one may.
  bool is_known() const { return found || deleted || failure; }
};

// Counts of some lookups, added to the table's counters at their end.
struct Tally {
  uint64_t lookups = 0, found = 0, not_found = 0, hops = 0, pages_verified = 0, bytes_read = 0, on_caller = 0;
  uint64_t returned[EXO_CHAIN_STRADDLE + 1] = {};  // by enum exo_chain_status

  void CountEnd(const exo_chain &chain, int status);
  void AddTo(LookupCounters *counters) const;
};

int StatusOf(const Failure &failure);
void StartChain(const exo_table_header &header, const KeyBatch &keys, size_t i, exo_chain *chain);
// As StartChain, then goes down through the pages in memory: chain->next is the first page to read, and chain->hops and
// chain->path list the visited pages. A chain that ends in memory starts at the root again.
void StartChainBelowCached(const TableFile &table, const KeyBatch &keys, size_t i, exo_chain *chain);
// Takes the value of a chain that found its key in the kernel. Every field of the chain is checked against the chain's
// bounds.
Failure TakeChainValue(const TableFile &table, const exo_chain &chain, Tally *tally, LookupResult *result);

class TableWalk {
 public:
  // `page`: EXO_PAGE_SIZE bytes, aligned for direct I/O, as the walk's read buffer.
  explicit TableWalk(uint8_t *page) : page_(page) {}

  // Begins to look up key i. True: the walk needs its read() done, and then Resume. False: it has ended, and the result
  // and the tally are set.
  bool Start(TableFile *table, const KeyBatch &keys, size_t i, Tally *tally, LookupResult *result);
  // After read() was done, or failed. As Start.
  bool Resume(const Failure &read_failure);
  // Replaces read() and Resume, with the page of that offset, already checked.
  bool Supply(const uint8_t *page);
  // From here on results get copies of repeatedly read leaves.
  void set_copies_leaves(bool copies) { copies_leaves_ = copies; }
  // Ends the walk at once, with a failure.
  void Abandon(const Failure &failure);

  struct Read {
    uint64_t offset = 0;
    size_t length = 0;  // whole pages; more than one only for a value
  };
  const Read &read() const { return read_; }
  // The buffer of read(). Allocates memory for a value; null if there is none.
  uint8_t *Buffer();
  bool InPage() const { return read_.length <= EXO_PAGE_SIZE; }
  // For use after Abandon, while the kernel may still write there.
  void LeakBuffer() { run_.release(); }

 private:
  bool Descend();
  bool Step(const uint8_t *page);
  bool TakeValue();
  bool End(int status, const Failure &failure = {});

  uint8_t *page_;
  AlignedBytes run_;  // of a value longer than a page
  TableFile *table_ = nullptr;
  Tally *tally_ = nullptr;
  LookupResult *result_ = nullptr;
  bool reads_value_ = false;
  bool copies_leaves_ = false;
  exo_value_ref reference_{};
  Read read_;
  exo_chain chain_{};
};

}  // namespace exopool
