// SPDX-License-Identifier: Apache-2.0
#include "table/table_walk.hh"

#include <cerrno>
#include <cstring>

#include "table_search.h"

namespace exopool {
namespace {

// Takes a chain down through the interior pages in memory. EXO_CHAIN_GOING: chain->next is not in memory.
int DescendCached(const TableFile &table, exo_chain *chain) {
  const exo_table_header &header = table.header();
  while (chain->hops < header.height) {
    uint64_t offset = chain->next;
    if (!exo_page_in_file(offset, header.file_size)) return EXO_CHAIN_CORRUPT;
    const uint8_t *cached = table.CachedPage(offset);
    if (cached == nullptr) return EXO_CHAIN_GOING;
    chain->path[chain->hops++] = offset;
    int status = exo_step(chain, reinterpret_cast<__u64>(cached), offset, header.table_id, header.height - chain->hops);
    if (status != EXO_CHAIN_GOING) return status;
  }
  return header.height == 0 ? EXO_CHAIN_NOT_FOUND : EXO_CHAIN_BOUND;
}

}  // namespace

void Tally::CountEnd(const exo_chain &chain, int status) {
  lookups++;
  hops += chain.hops;
  if (status == EXO_CHAIN_FOUND) found++;
  if (status == EXO_CHAIN_NOT_FOUND) not_found++;
  returned[status]++;
}

void Tally::AddTo(LookupCounters *counters) const {
  auto add = [](std::atomic<uint64_t> &total, uint64_t count) {
    if (count != 0) total.fetch_add(count, std::memory_order_relaxed);
  };
  add(counters->lookups, lookups);
  add(counters->found, found);
  add(counters->not_found, not_found);
  add(counters->hops, hops);
  add(counters->pages_verified, pages_verified);
  add(counters->bytes_read, bytes_read);
  add(counters->on_caller, on_caller);
  add(counters->bound, returned[EXO_CHAIN_BOUND]);
  add(counters->corrupt, returned[EXO_CHAIN_CORRUPT]);
  add(counters->io, returned[EXO_CHAIN_IO]);
  add(counters->stale, returned[EXO_CHAIN_STALE]);
  add(counters->straddle, returned[EXO_CHAIN_STRADDLE]);
}

int StatusOf(const Failure &failure) { return failure.kind == Failure::Kind::kIo ? EXO_CHAIN_IO : EXO_CHAIN_CORRUPT; }

void StartChain(const exo_table_header &header, const KeyBatch &keys, size_t i, exo_chain *chain) {
  chain->key_len = static_cast<__u16>(keys.length(i));
  memcpy(chain->key, keys.data(i), keys.length(i));
  chain->next = header.root;
  chain->hops = 0;
  chain->copied = 0;
}

void StartChainBelowCached(const TableFile &table, const KeyBatch &keys, size_t i, exo_chain *chain) {
  StartChain(table.header(), keys, i, chain);
  if (DescendCached(table, chain) != EXO_CHAIN_GOING) StartChain(table.header(), keys, i, chain);
  chain->copied = 0;
}

Failure TakeChainValue(const TableFile &table, const exo_chain &chain, Tally *tally, LookupResult *result) {
  size_t at = chain.value_at, length = chain.value_len;
  bool is_reference = chain.value_kind == EXO_VALUE_OUTLINE;
  if (at + length > EXO_PAGE_SIZE || (is_reference && length != sizeof(exo_value_ref)))
    return Failure::Corrupt(0, "the chain's value does not lie in its page");
  result->deleted = chain.value_kind == EXO_VALUE_TOMBSTONE;
  result->found = !result->deleted;
  if (result->deleted) return {};
  if (!is_reference) {
    result->value.assign(chain.page + at, chain.page + at + length);
    return {};
  }
  exo_value_ref reference;
  memcpy(&reference, chain.page + at, sizeof(reference));
  tally->bytes_read += reference.length;
  return table.ReadValue(reference, &result->value);
}

bool TableWalk::Start(TableFile *table, const KeyBatch &keys, size_t i, Tally *tally, LookupResult *result) {
  table_ = table;
  tally_ = tally;
  result_ = result;
  reads_value_ = false;
  run_.reset();
  *result = LookupResult();
  StartChain(table->header(), keys, i, &chain_);
  return Descend();
}

// The same walk as the BPF programs', with pages from the cache of interior pages or the file.
bool TableWalk::Descend() {
  int status = DescendCached(*table_, &chain_);
  if (status != EXO_CHAIN_GOING) return End(status);
  chain_.path[chain_.hops++] = chain_.next;
  read_ = {chain_.next, EXO_PAGE_SIZE};
  return true;
}

bool TableWalk::Resume(const Failure &read_failure) {
  if (reads_value_) {
    Failure failure = read_failure ? read_failure : table_->CheckValue(reference_, Buffer());
    if (!failure) result_->value.assign(Buffer(), Buffer() + reference_.length);
    run_.reset();
    return End(failure ? StatusOf(failure) : EXO_CHAIN_FOUND, failure);
  }
  Failure failure = read_failure ? read_failure : table_->CheckPage(read_.offset, page_);
  if (failure) return End(StatusOf(failure), failure);
  table_->CachePage(read_.offset, page_);
  tally_->pages_verified++;
  tally_->bytes_read += EXO_PAGE_SIZE;
  if (copies_leaves_ && chain_.hops == table_->header().height && table_->ReadLately(read_.offset)) {
    result_->leaf.reset(new LeafCopy{table_->header().table_id, read_.offset, {}});
    memcpy(result_->leaf->page, page_, EXO_PAGE_SIZE);
  }
  return Supply(page_);
}

bool TableWalk::Supply(const uint8_t *page) { return Step(page) ? Descend() : reads_value_; }

// True: the search goes on one level down. False: it has ended, except for a value outside the leaf.
bool TableWalk::Step(const uint8_t *page) {
  const exo_table_header &header = table_->header();
  int status = exo_step(&chain_, reinterpret_cast<__u64>(page), chain_.path[chain_.hops - 1], header.table_id,
                        header.height - chain_.hops);
  if (status == EXO_CHAIN_GOING) return true;
  if (status == EXO_CHAIN_FOUND)
    TakeValue();
  else
    End(status);
  return false;
}

bool TableWalk::TakeValue() {
  const uint8_t *at = chain_.page + chain_.value_at;
  result_->deleted = chain_.value_kind == EXO_VALUE_TOMBSTONE;
  result_->found = !result_->deleted;
  if (result_->deleted) return End(EXO_CHAIN_FOUND);
  if (chain_.value_kind == EXO_VALUE_INLINE) {
    result_->value.assign(at, at + chain_.value_len);
    return End(EXO_CHAIN_FOUND);
  }
  memcpy(&reference_, at, sizeof(reference_));
  tally_->bytes_read += reference_.length;
  read_.offset = reference_.offset;
  Failure failure = table_->LocateValue(reference_, &read_.length);
  if (failure) return End(StatusOf(failure), failure);
  reads_value_ = true;
  return true;
}

bool TableWalk::End(int status, const Failure &failure) {
  result_->failure = failure;
  if (status > EXO_CHAIN_NOT_FOUND && !failure) {
    uint64_t offset = chain_.hops == 0 ? 0 : chain_.path[chain_.hops - 1];
    result_->failure = Failure::Corrupt(offset, "the page contradicts itself or the rest of the table");
  }
  if (result_->failure) result_->failed_in = table_->shared_from_this();
  tally_->CountEnd(chain_, status);
  reads_value_ = false;
  return false;
}

void TableWalk::Abandon(const Failure &failure) { End(StatusOf(failure), failure); }

uint8_t *TableWalk::Buffer() {
  if (InPage()) return page_;
  if (run_ == nullptr) run_ = AllocateAligned(read_.length);
  return run_.get();
}

}  // namespace exopool
