// SPDX-License-Identifier: Apache-2.0
#include "table_lookup.hh"

#include <cerrno>
#include <cstring>
#include <new>

#include "bpf_engine.hh"

namespace exopool {
namespace {

// One for each worker thread: a page aligned for direct I/O, and the walk that uses it.
struct Scratch {
  Scratch() {
    if (page == nullptr) throw std::bad_alloc();
  }

  AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
  TableWalk walk{page.get()};
};

Scratch &ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

void LookupOneByPread(TableFile &table, const KeyBatch &keys, size_t i, Tally *tally, LookupResult *result) {
  TableWalk &walk = ThreadScratch().walk;
  bool needs_read = walk.Start(&table, keys, i, tally, result);
  while (needs_read) {
    const TableWalk::Read &read = walk.read();
    uint8_t *into = walk.Buffer();
    needs_read = walk.Resume(into == nullptr ? Failure::Io(ENOMEM, read.offset)
                                             : table.Read(read.offset, read.length, into));
  }
}

// Checks the pages that a chain walked in the kernel and that nobody has checked yet.
Failure VerifyPath(TableFile &table, const exo_chain &chain, Tally *tally) {
  for (uint32_t hop = 0; hop < chain.hops && hop < EXO_HEIGHT_MAX; hop++) {
    if (table.IsVerified(chain.path[hop])) continue;
    uint8_t *page = ThreadScratch().page.get();
    Failure failure = table.ReadPage(chain.path[hop], page, TableFile::From::kPageCache);
    if (failure) return failure;
    table.CachePage(chain.path[hop], page);
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
    if (!failure && status == EXO_CHAIN_FOUND) failure = TakeChainValue(table, chain, tally, result);
    if (failure) status = StatusOf(failure);
  }
  tally->bytes_read += chain.copied;
  tally->CountEnd(chain, status);
  return status <= EXO_CHAIN_NOT_FOUND;
}

}  // namespace

void LookupByPread(TableFile &table, const KeyBatch &keys, const uint32_t *which, size_t count,
                   LookupResult *results, bool copies_leaves) {
  Tally tally;
  ThreadScratch().walk.set_copies_leaves(copies_leaves);
  for (size_t i = 0; i < count; i++) LookupOneByPread(table, keys, which[i], &tally, &results[which[i]]);
  tally.AddTo(&table.counters(Engine::kPread));
}

void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, const uint32_t *which, size_t count,
                 LookupResult *results) {
  const exo_table_header &header = table.header();
  if (header.height == 0) return LookupByPread(table, keys, which, count, results);
  BpfEngine &engine = BpfEngine::Get();
  exo_chain *chains = engine.chains(worker);
  exo_walk walk{};
  for (size_t i = 0; i < count; i++) {
    StartChainBelowCached(table, keys, which[i], &chains[i]);
    if (chains[i].hops == 0) walk.root = header.root;
  }
  walk.base = reinterpret_cast<__u64>(table.mapping());
  walk.file_size = header.file_size;
  walk.table_id = header.table_id;
  walk.height = header.height;
  walk.count = static_cast<__u32>(count);
  if (engine.Walk(worker, &walk) != 0) walk.done = 0;

  Tally tally, retried;
  ThreadScratch().walk.set_copies_leaves(false);
  for (size_t i = 0; i < count; i++) {
    exo_chain &chain = chains[i];
    if (i >= walk.done) chain.status = EXO_CHAIN_IO;
    if (!AcceptChain(table, chain, &tally, &results[which[i]]))
      LookupOneByPread(table, keys, which[i], &retried, &results[which[i]]);
  }
  tally.AddTo(&table.counters(Engine::kPageCacheBpf));
  retried.AddTo(&table.counters(Engine::kPread));
}

}  // namespace exopool
