// SPDX-License-Identifier: Apache-2.0
#include "engines/table_lookup.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "engines/bpf_engine.hh"

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
    needs_read =
        walk.Resume(into == nullptr ? Failure::Io(ENOMEM, read.offset) : table.Read(read.offset, read.length, into));
  }
}

// Checks the pages that a chain walked in the kernel and that were not checked before.
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

// Accepts the kernel's result of a chain. False: it is no answer, and pread must retry.
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

// Runs the keys' chains in one crossing; chains that the kernel did not reach end with EXO_CHAIN_IO.
exo_chain *WalkChains(TableFile &table, int walker, uint64_t mark, const KeyBatch &keys, const uint32_t *which,
                      size_t count) {
  const exo_table_header &header = table.header();
  BpfEngine &engine = BpfEngine::Get();
  exo_chain *chains = engine.chains(walker);
  exo_walk walk{};
  for (size_t i = 0; i < count; i++) {
    StartChainBelowCached(table, keys, which[i], &chains[i]);
    if (chains[i].hops == 0) walk.root = header.root;
  }
  walk.base = reinterpret_cast<__u64>(table.mapping()) | mark;
  walk.file_size = header.file_size;
  walk.table_id = header.table_id;
  walk.height = header.height;
  walk.count = static_cast<__u32>(count);
  if (engine.Walk(walker, &walk) != 0) walk.done = 0;
  for (size_t i = walk.done; i < count; i++) chains[i].status = EXO_CHAIN_IO;
  return chains;
}

// Whether the chain has an answer without a further read.
bool IsComplete(const TableFile &table, const exo_chain &chain) {
  if (chain.status != EXO_CHAIN_FOUND && chain.status != EXO_CHAIN_NOT_FOUND) return false;
  if (chain.status == EXO_CHAIN_FOUND && chain.value_kind == EXO_VALUE_OUTLINE) return false;
  auto is_verified = [&](uint64_t offset) { return table.IsVerified(offset); };
  return std::all_of(chain.path, chain.path + std::min<uint32_t>(chain.hops, EXO_HEIGHT_MAX), is_verified);
}

}  // namespace

void LookupByPread(TableFile &table, const KeyBatch &keys, const uint32_t *which, size_t count, LookupResult *results,
                   bool copies_leaves) {
  Tally tally;
  ThreadScratch().walk.set_copies_leaves(copies_leaves);
  for (size_t i = 0; i < count; i++) LookupOneByPread(table, keys, which[i], &tally, &results[which[i]]);
  tally.AddTo(&table.counters(Engine::kPread));
}

void LookupByBpf(TableFile &table, int worker, const KeyBatch &keys, const uint32_t *which, size_t count,
                 LookupResult *results) {
  if (table.header().height == 0) return LookupByPread(table, keys, which, count, results);
  exo_chain *chains = WalkChains(table, worker, 0, keys, which, count);
  Tally tally, retried;
  ThreadScratch().walk.set_copies_leaves(false);
  for (size_t i = 0; i < count; i++) {
    if (!AcceptChain(table, chains[i], &tally, &results[which[i]]))
      LookupOneByPread(table, keys, which[i], &retried, &results[which[i]]);
  }
  tally.AddTo(&table.counters(Engine::kPageCacheBpf));
  retried.AddTo(&table.counters(Engine::kPread));
}

std::vector<uint32_t> LookupPresentByBpf(TableFile &table, const KeyBatch &keys, std::vector<uint32_t> which,
                                         LookupResult *results) {
  std::unique_lock<std::mutex> turn(BpfEngine::Get().present_walker(), std::try_to_lock);
  if (!turn.owns_lock() || table.header().height == 0 || which.size() > EXO_BATCH_MAX) return which;
  exo_chain *chains = WalkChains(table, BpfEngine::kPresentWalker, EXO_PRESENT_ONLY, keys, which.data(), which.size());
  Tally tally;
  std::vector<uint32_t> left_out;
  for (size_t i = 0; i < which.size(); i++) {
    bool has_answer = IsComplete(table, chains[i]) && AcceptChain(table, chains[i], &tally, &results[which[i]]);
    if (!has_answer) left_out.push_back(which[i]);
  }
  tally.on_caller = tally.lookups;
  tally.AddTo(&table.counters(Engine::kPageCacheBpf));
  return left_out;
}

}  // namespace exopool
