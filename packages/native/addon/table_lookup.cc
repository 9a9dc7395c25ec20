// SPDX-License-Identifier: Apache-2.0
#include "table_lookup.hh"

#include <cstring>
#include <new>

#include "table_search.h"

namespace exopool {
namespace {

// What one run of lookups did, added to the table's counters at its end.
struct Tally {
  uint64_t lookups = 0, found = 0, not_found = 0, hops = 0, pages_verified = 0, bytes_read = 0;
  uint64_t returned[EXO_CHAIN_IO + 1] = {};  // by enum exo_chain_status

  void AddTo(LookupCounters *counters) const {
    auto add = [](std::atomic<uint64_t> &total, uint64_t count) {
      if (count != 0) total.fetch_add(count, std::memory_order_relaxed);
    };
    add(counters->lookups, lookups);
    add(counters->found, found);
    add(counters->not_found, not_found);
    add(counters->hops, hops);
    add(counters->pages_verified, pages_verified);
    add(counters->bytes_read, bytes_read);
    add(counters->bound, returned[EXO_CHAIN_BOUND]);
    add(counters->corrupt, returned[EXO_CHAIN_CORRUPT]);
    add(counters->io, returned[EXO_CHAIN_IO]);
  }
};

// One for each worker thread: the chain of its pread lookups, and a page aligned for direct I/O.
struct Scratch {
  Scratch() {
    if (page == nullptr) throw std::bad_alloc();
  }

  exo_chain chain{};
  AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
};

Scratch &ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

int StatusOf(const Failure &failure) {
  return failure.kind == Failure::Kind::kIo ? EXO_CHAIN_IO : EXO_CHAIN_CORRUPT;
}

void StartChain(const exo_table_header &header, const KeyBatch &keys, size_t i, exo_chain *chain) {
  chain->key_len = static_cast<__u16>(keys.length(i));
  memcpy(chain->key, keys.data(i), keys.length(i));
  chain->next = header.root;
  chain->hops = 0;
  chain->copied = 0;
}

// The same walk as the BPF program's, with pages from the cache of interior pages or the file.
int WalkByPread(TableFile &table, Scratch *scratch, Tally *tally, Failure *failure) {
  const exo_table_header &header = table.header();
  exo_chain *chain = &scratch->chain;
  for (uint32_t hop = 0; hop < header.height; hop++) {
    uint64_t offset = chain->next;
    if (!exo_page_in_file(offset, header.file_size)) return EXO_CHAIN_CORRUPT;
    chain->path[hop] = offset;
    chain->hops = hop + 1;
    const uint8_t *page = table.CachedPage(offset);
    if (page == nullptr) {
      *failure = table.ReadPage(offset, scratch->page.get());
      if (*failure) return StatusOf(*failure);
      page = scratch->page.get();
      table.CachePage(offset, page);
      tally->pages_verified++;
      tally->bytes_read += EXO_PAGE_SIZE;
    }
    int status =
        exo_step(chain, reinterpret_cast<__u64>(page), offset, header.table_id, header.height - 1 - hop);
    if (status != EXO_CHAIN_GOING) return status;
  }
  return header.height == 0 ? EXO_CHAIN_NOT_FOUND : EXO_CHAIN_BOUND;
}

// Takes the value of a chain that found its key.
Failure TakeValue(const TableFile &table, const exo_chain &chain, Tally *tally, LookupResult *result) {
  const uint8_t *at = chain.page + chain.value_at;
  result->deleted = chain.value_kind == EXO_VALUE_TOMBSTONE;
  result->found = !result->deleted;
  if (result->deleted) return {};
  if (chain.value_kind == EXO_VALUE_INLINE) {
    result->value.assign(at, at + chain.value_len);
    return {};
  }
  exo_value_ref reference;
  memcpy(&reference, at, sizeof(reference));
  tally->bytes_read += reference.length;
  return table.ReadValue(reference, &result->value);
}

void LookupOneByPread(TableFile &table, const KeyBatch &keys, size_t i, Tally *tally, LookupResult *result) {
  Scratch &scratch = ThreadScratch();
  exo_chain &chain = scratch.chain;
  *result = LookupResult();
  StartChain(table.header(), keys, i, &chain);
  int status = WalkByPread(table, &scratch, tally, &result->failure);
  if (status == EXO_CHAIN_FOUND) result->failure = TakeValue(table, chain, tally, result);
  if (result->failure) status = StatusOf(result->failure);
  if (status > EXO_CHAIN_NOT_FOUND && !result->failure) {
    uint64_t offset = chain.hops == 0 ? 0 : chain.path[chain.hops - 1];
    result->failure = Failure::Corrupt(offset, "the page contradicts itself or the rest of the table");
  }
  tally->lookups++;
  tally->hops += chain.hops;
  if (status == EXO_CHAIN_FOUND) tally->found++;
  if (status == EXO_CHAIN_NOT_FOUND) tally->not_found++;
  tally->returned[status]++;
}

// Checks the pages that a chain walked in the kernel and that nobody has checked yet.
Failure VerifyPath(TableFile &table, const exo_chain &chain, Tally *tally) {
  for (uint32_t hop = 0; hop < chain.hops && hop < EXO_HEIGHT_MAX; hop++) {
    if (table.IsVerified(chain.path[hop])) continue;
    Failure failure =
        table.ReadPage(chain.path[hop], ThreadScratch().page.get(), TableFile::From::kPageCache);
    if (failure) return failure;
    tally->pages_verified++;
    tally->bytes_read += EXO_PAGE_SIZE;
  }
  return {};
}

// Accepts what the kernel left in a chain. False: it is no answer, and pread has to find out.
bool AcceptChain(TableFile &table, const exo_chain &chain, Tally *tally, LookupResult *result) {
  int status = static_cast<int>(chain.status);
  if (status == EXO_CHAIN_FOUND || status == EXO_CHAIN_NOT_FOUND) {
    Failure failure = VerifyPath(table, chain, tally);
    if (!failure && status == EXO_CHAIN_FOUND) failure = TakeValue(table, chain, tally, result);
    if (failure) status = StatusOf(failure);
  }
  tally->lookups++;
  tally->hops += chain.hops;
  tally->bytes_read += chain.copied;
  if (status == EXO_CHAIN_FOUND) tally->found++;
  if (status == EXO_CHAIN_NOT_FOUND) tally->not_found++;
  tally->returned[status]++;
  return status <= EXO_CHAIN_NOT_FOUND;
}

}  // namespace

void LookupByPread(TableFile &table, const KeyBatch &keys, size_t begin, size_t end, LookupResult *results) {
  Tally tally;
  for (size_t i = begin; i < end; i++) LookupOneByPread(table, keys, i, &tally, &results[i]);
  tally.AddTo(&table.counters(Engine::kPread));
}

void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, size_t begin, size_t end,
                 LookupResult *results) {
  const exo_table_header &header = table.header();
  if (header.height == 0) return LookupByPread(table, keys, begin, end, results);
  BpfEngine &engine = BpfEngine::Get();
  exo_chain *chains = engine.chains(worker);
  for (size_t i = begin; i < end; i++) StartChain(header, keys, i, &chains[i - begin]);
  exo_walk walk{};
  walk.base = reinterpret_cast<__u64>(table.mapping());
  walk.file_size = header.file_size;
  walk.table_id = header.table_id;
  walk.height = header.height;
  walk.count = static_cast<__u32>(end - begin);
  if (engine.Walk(worker, &walk) != 0) walk.done = 0;

  Tally tally, retried;
  for (size_t i = begin; i < end; i++) {
    exo_chain &chain = chains[i - begin];
    if (i - begin >= walk.done) chain.status = EXO_CHAIN_IO;
    if (!AcceptChain(table, chain, &tally, &results[i]))
      LookupOneByPread(table, keys, i, &retried, &results[i]);
  }
  tally.AddTo(&table.counters(Engine::kPageCacheBpf));
  retried.AddTo(&table.counters(Engine::kPread));
}

}  // namespace exopool
