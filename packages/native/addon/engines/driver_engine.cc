// SPDX-License-Identifier: Apache-2.0
#include "engines/driver_engine.hh"

#include <cerrno>
#include <cstring>
#include <iterator>

#include "engines/table_lookup.hh"

namespace exopool {
namespace {

constexpr char kFixModule[] =
    "apt-get install linux-headers-$(uname -r) pahole && node packages/native/scripts/build-kmod.mjs /tmp/exopool-kmod "
    "&& insmod /tmp/exopool-kmod/exopool.ko (Linux 6.9 or later)";
constexpr char kObjectName[] = "driver_lookup.bpf.o";

// In the order of enum exo_refusal.
const char *const kRefusals[] = {"",
                                 "it is not a regular file that is open for reading",
                                 "a device node takes CAP_SYS_RAWIO",
                                 "it is not on ext4 or XFS on a block device",
                                 "it has holes, or unwritten, inline or shared extents",
                                 "it is encrypted, sealed by verity, or on DAX",
                                 "somebody has it open for writing",
                                 "it is a swap file",
                                 "it has more extents than the driver keeps",
                                 "the device's blocks are larger than a page",
                                 "the program is gone",
                                 "it is empty"};
static_assert(std::size(kRefusals) == EXO_REFUSALS, "a text for each refusal");

std::string Explain(uint32_t refusal, int error) {
  return refusal > 0 && refusal < EXO_REFUSALS ? kRefusals[refusal] : strerror(error);
}

// Checks the pages of a chain that were not checked before.
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

DriverFile *FileOf(const TableFile &table) { return static_cast<DriverFile *>(table.attachment(Engine::kDriver)); }

}  // namespace

DriverFile::~DriverFile() {
  for (int lane = 0; lane < DriverEngine::kLanes; lane++)
    if (sessions[lane] != nullptr) sessions[lane]->Detach(attached[lane].file);
}

DriverEngine &DriverEngine::Get() {
  static DriverEngine *engine = new DriverEngine(BpfObject::PathOf(kObjectName));
  return *engine;
}

DriverEngine::DriverEngine(const std::string &object) : obstacle_(Load(object)) {}

Obstacle DriverEngine::Load(const std::string &object) {
  for (Lane &lane : lanes_) {
    int error = lane.page == nullptr ? ENOMEM : lane.session.Open();
    if (error == 0) continue;
    return {error == ENOENT ? "the kernel module exopool.ko is not loaded"
                            : std::string(EXO_DRIVER_PATH) + ": " + strerror(error),
            error == EACCES || error == EPERM ? "run as root" : kFixModule};
  }
  exo_info info{};
  if (lanes_[0].session.Info(&info) != 0 || info.version != EXO_DRIVER_VERSION) {
    return {"the exopool.ko that is loaded is of another version", std::string("rmmod exopool && ") + kFixModule};
  }
  Obstacle obstacle;
  program_ = DriverProgram::Load(object, "lookup", size_t{kLanes} * EXO_BATCH_MAX, &obstacle);
  if (obstacle && obstacle.fix.empty()) obstacle.fix = kFixModule;
  return obstacle;
}

std::string DriverEngine::Attach(TableFile *table) {
  if (FileOf(*table) != nullptr) return "";
  auto file = std::make_unique<DriverFile>();
  for (int lane = 0; lane < kLanes; lane++) {
    exo_attach *attached = &file->attached[lane];
    int error = lanes_[lane].session.Attach(table->read_fd(), program_->id(), EXO_PAGE_SIZE, false, attached);
    if (error != 0) return Explain(attached->refusal, error);
    file->sessions[lane] = &lanes_[lane].session;
  }
  table->Attach(Engine::kDriver, std::move(file));
  return "";
}

uint32_t DriverEngine::ModesOf(const TableFile &table) const {
  const DriverFile *file = FileOf(table);
  return file == nullptr ? 0 : file->attached[0].modes;
}

// Zero or an errno. After a writer has come and gone, checks once whether the file can be read this way again.
int DriverEngine::Run(Lane &lane, exo_attach *attached, const TableFile &table, exo_mode mode, exo_request *requests,
                      uint32_t count) {
  exo_run run;
  for (bool again = false;; again = true) {
    for (uint32_t i = 0; i < count; i++) requests[i].offset = table.header().root;
    int error = lane.session.Run(attached->file, mode, table.header().height, requests, count, &run);
    if (error != 0) return error;
    counters_.batches++;
    counters_.resubmitted += run.resubmitted;
    if (run.ran_mode < EXO_MODES) counters_.modes[run.ran_mode]++;
    for (uint32_t i = 0; i < count; i++) {
      counters_.ends[requests[i].end < EXO_ENDS ? requests[i].end : uint32_t{EXO_END_NONE}]++;
      counters_.hops += requests[i].hops;
    }
    if (again || requests[0].end != EXO_END_STALE || lane.session.Refresh(attached) != 0) return 0;
  }
}

size_t DriverEngine::Lookup(int lane_number, TableFile &table, const KeyBatch &keys, const uint32_t *which,
                            size_t count, exo_mode mode, LookupResult *results) {
  Lane &lane = lanes_[lane_number];
  const exo_table_header &header = table.header();
  DriverFile *file = FileOf(table);
  exo_chain *chains = program_->chains() + size_t{EXO_BATCH_MAX} * static_cast<size_t>(lane_number);
  exo_request requests[EXO_BATCH_MAX] = {};
  uint32_t unanswered[EXO_BATCH_MAX];
  size_t unanswered_count = 0;
  for (size_t i = 0; i < count; i++) {
    StartChain(header, keys, which[i], &chains[i]);
    requests[i].scratch[0] = static_cast<uint64_t>(lane_number) * EXO_BATCH_MAX + i;
    requests[i].scratch[1] = header.table_id;
    requests[i].scratch[2] = header.height;
  }
  // A table without entries has no page to begin with.
  bool has_run = file != nullptr && header.height > 0 &&
                 Run(lane, &file->attached[lane_number], table, mode, requests, static_cast<uint32_t>(count)) == 0;
  Tally tally;
  for (size_t i = 0; i < count; i++) {
    if (!has_run || !Accept(lane, table, requests[i], chains[i], &tally, &results[which[i]]))
      unanswered[unanswered_count++] = which[i];
  }
  tally.AddTo(&table.counters(Engine::kDriver));
  counters_.unanswered += unanswered_count;
  if (unanswered_count > 0) LookupByPread(table, keys, unanswered, unanswered_count, results);
  return unanswered_count;
}

bool DriverEngine::Accept(Lane &lane, TableFile &table, const exo_request &request, const exo_chain &chain,
                          Tally *tally, LookupResult *result) {
  *result = LookupResult();
  bool is_answer = request.end == EXO_END_DONE && chain.status <= EXO_CHAIN_IO && chain.status != EXO_CHAIN_GOING;
  int status = is_answer ? static_cast<int>(chain.status) : EXO_CHAIN_IO;
  if (status == EXO_CHAIN_FOUND || status == EXO_CHAIN_NOT_FOUND) {
    Failure failure = VerifyPath(table, chain, lane.page.get(), tally);
    if (!failure && status == EXO_CHAIN_FOUND) failure = TakeChainValue(table, chain, tally, result);
    if (failure) status = StatusOf(failure);
  }
  tally->bytes_read += request.hops * static_cast<uint64_t>(EXO_PAGE_SIZE);
  tally->CountEnd(chain, status);
  return status == EXO_CHAIN_FOUND || status == EXO_CHAIN_NOT_FOUND;
}

void LookupByDriver(TableFile &table, int worker, const KeyBatch &keys, const uint32_t *which, size_t count,
                    LookupResult *results) {
  if (count > 0) DriverEngine::Get().Lookup(worker, table, keys, which, count, EXO_MODE_BEST, results);
}

}  // namespace exopool
