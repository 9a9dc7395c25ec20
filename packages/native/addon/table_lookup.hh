// SPDX-License-Identifier: Apache-2.0
// The lookup engines: what walks chains over one table file, and gives identical results.
//
//   pread          reads whole pages, at user level; every page's checksum is checked as it is read
//   page-cache-bpf walks in the kernel, a batch a crossing; copies parts of pages out of the page cache
//
// A chain that the kernel side cannot finish (bound, contradiction, fault) is walked once more by pread,
// which either answers or names the offset of the page that is wrong.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf_engine.hh"
#include "table_file.hh"

namespace exopool {

// Keys end to end in one block.
class KeyBatch {
 public:
  void Add(const uint8_t *key, size_t length) {
    bytes_.insert(bytes_.end(), key, key + length);
    ends_.push_back(bytes_.size());
  }
  size_t size() const { return ends_.size(); }
  const uint8_t *data(size_t i) const { return bytes_.data() + begin(i); }
  size_t length(size_t i) const { return ends_[i] - begin(i); }

 private:
  size_t begin(size_t i) const { return i == 0 ? 0 : ends_[i - 1]; }

  std::vector<uint8_t> bytes_;
  std::vector<size_t> ends_;
};

struct LookupResult {
  bool found = false;    // with a value
  bool deleted = false;  // with a tombstone
  std::vector<uint8_t> value;
  Failure failure;
};

// Look up keys [begin, end) of the batch; results[i] is for key i. Thread-safe.
void LookupByPread(TableFile &table, const KeyBatch &keys, size_t begin, size_t end, LookupResult *results);
// As above; end - begin is at most EXO_BATCH_MAX, `worker` a number of the worker pool that the caller runs
// on.
void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, size_t begin, size_t end,
                 LookupResult *results);

}  // namespace exopool
