// SPDX-License-Identifier: Apache-2.0
#include "driver_engine.hh"

#include <cerrno>
#include <cstring>

namespace exopool {
namespace {

// Checks the pages that a chain walked and that nobody has checked yet.
Failure VerifyPath(TableFile &table, const exo_chain &chain, uint8_t *page, Tally *tally) {
  for (uint32_t hop = 0; hop < chain.hops && hop < EXO_HEIGHT_MAX; hop++) {
    if (table.IsVerified(chain.path[hop])) continue;
    Failure failure = table.ReadPage(chain.path[hop], page);
    if (failure) return failure;
    tally->pages_verified++;
    tally->bytes_read += EXO_PAGE_SIZE;
  }
  return {};
}

}  // namespace

std::unique_ptr<DriverEngine> DriverEngine::Load(const std::string &object, std::string *reason) {
  auto engine = std::make_unique<DriverEngine>();
  for (Lane &lane : engine->lanes_) {
    int error = lane.session.Open();
    if (error == 0) continue;
    *reason = std::string(EXO_DRIVER_PATH) + ": " + strerror(error);
    return nullptr;
  }
  engine->program_ = DriverProgram::Load(object, "lookup", kLanes * EXO_BATCH_MAX, reason);
  return engine->program_ == nullptr ? nullptr : std::move(engine);
}

int DriverEngine::Attach(int lane, const TableFile &table, exo_attach *attached) {
  return lanes_[lane].session.Attach(table.read_fd(), program_->id(), EXO_PAGE_SIZE, false, attached);
}

void DriverEngine::Detach(int lane, const exo_attach &attached) { lanes_[lane].session.Detach(attached.file); }

void DriverEngine::Lookup(int lane_number, exo_attach *attached, TableFile &table, const KeyBatch &keys,
                          size_t begin, size_t end, exo_mode mode, LookupResult *results, bool *answered,
                          Tally *tally) {
  Lane &lane = lanes_[lane_number];
  const exo_table_header &header = table.header();
  uint32_t first = static_cast<uint32_t>(lane_number) * EXO_BATCH_MAX;
  uint32_t count = static_cast<uint32_t>(end - begin);
  exo_request requests[EXO_BATCH_MAX] = {};
  for (uint32_t i = 0; i < count; i++) {
    StartChain(header, keys, begin + i, &program_->chains()[first + i]);
    requests[i].offset = header.root;
    requests[i].scratch[0] = first + i;
    requests[i].scratch[1] = header.table_id;
    requests[i].scratch[2] = header.height;
  }
  exo_run run;
  uint32_t hops_max = header.height == 0 ? 1 : header.height;
  int error = lane.session.Run(attached->file, mode, hops_max, requests, count, &run);
  // A writer has come and gone, or is still there: look once whether the file can be read this way again.
  if (error == 0 && requests[0].end == EXO_END_STALE && lane.session.Refresh(attached) == 0) {
    lane.ends[EXO_END_STALE] += count;
    for (uint32_t i = 0; i < count; i++) requests[i].offset = header.root;
    error = lane.session.Run(attached->file, mode, hops_max, requests, count, &run);
  }
  for (uint32_t i = 0; i < count; i++) {
    answered[i] = error == 0 && Accept(lane, table, requests[i], program_->chains()[first + i], tally,
                                       &results[begin + i]);
  }
}

bool DriverEngine::Accept(Lane &lane, TableFile &table, const exo_request &request, const exo_chain &chain,
                          Tally *tally, LookupResult *result) {
  *result = LookupResult();
  lane.ends[request.end < EXO_ENDS ? request.end : 0]++;
  int status = request.end == EXO_END_DONE ? static_cast<int>(chain.status) : EXO_CHAIN_IO;
  if (status == EXO_CHAIN_FOUND || status == EXO_CHAIN_NOT_FOUND) {
    Failure failure = VerifyPath(table, chain, lane.page.get(), tally);
    if (!failure && status == EXO_CHAIN_FOUND) failure = TakeChainValue(table, chain, tally, result);
    if (failure) status = StatusOf(failure);
  }
  tally->bytes_read += request.hops * static_cast<uint64_t>(EXO_PAGE_SIZE);
  tally->CountEnd(chain, status);
  return status == EXO_CHAIN_FOUND || status == EXO_CHAIN_NOT_FOUND;
}

}  // namespace exopool
