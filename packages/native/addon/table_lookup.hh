// SPDX-License-Identifier: Apache-2.0
// The lookup engines: what walks chains over one table file, and gives identical results.
//
//   pread          reads whole pages, at user level; every page's checksum is checked as it is read
//   io-uring       the same with many reads under way at a time: ring_engine.hh
//   page-cache-bpf walks in the kernel, a batch a crossing; copies parts of pages out of the page cache
//
// A chain that the kernel side cannot finish (bound, contradiction, fault) is walked once more by pread,
// which either answers or names the offset of the page that is wrong.
#pragma once

#include <cstddef>

#include "table_file.hh"
#include "table_walk.hh"

namespace exopool {

// Look up keys [begin, end) of the batch; results[i] is for key i. Thread-safe.
void LookupByPread(TableFile &table, const KeyBatch &keys, size_t begin, size_t end, LookupResult *results);
// As above; end - begin is at most EXO_BATCH_MAX, `worker` a number of the worker pool that the caller runs
// on.
void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, size_t begin, size_t end,
                 LookupResult *results);

}  // namespace exopool
