// SPDX-License-Identifier: Apache-2.0
// Lookup engines: each walks chains over one table file, with identical results. Three of the six are called here:
//
//   pread          reads whole pages, at user level; every page's checksum is checked as it is read
//   io-uring       the same with many reads in flight: ring_engine.hh
//   page-cache-bpf walks in the kernel, a batch a crossing; copies parts of pages out of the page cache
//
// The engines io-uring-bpf and nvme-bpf are in loop_engine.hh, the driver's in driver_engine.hh.
//
// A chain that the kernel side cannot finish (bound, contradiction, fault) is retried by pread, which either answers or
// names the offset of the damaged page.
#pragma once

#include <cstddef>
#include <vector>

#include "table/table_file.hh"
#include "table/table_walk.hh"

namespace exopool {

// Look up the keys with the numbers which[0 .. count-1]; results[i] is for key i. Thread-safe. For
// copies_leaves see TableWalk.
void LookupByPread(TableFile &table, const KeyBatch &keys, const uint32_t *which, size_t count, LookupResult *results,
                   bool copies_leaves = false);
// As above; at most EXO_BATCH_MAX keys, `worker` a number of the worker pool that the caller runs on.
void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, const uint32_t *which, size_t count,
                 LookupResult *results);
// As above without waiting for anything, on any thread: keys whose pages are not all mapped and checked, or that have
// values outside their leaves, are skipped and returned.
std::vector<uint32_t> LookupPresentByBpf(TableFile &table, const KeyBatch &keys, std::vector<uint32_t> which,
                                         LookupResult *results);

}  // namespace exopool
