// SPDX-License-Identifier: Apache-2.0
// Counted instructions per hop, by engine: `lookup_instructions FOLDER HEIGHT CHAINS LOOKUPS`, in a guest of
// `exopool vm --icount`, with the folder on the device to measure.
//
// Each engine looks up the same keys in the same table, CHAINS of them at a time: one call, waited for, after the
// other. Every hop reads its page from the device (O_DIRECT, no cached interior pages), as the engines of the
// kernel do. Counted is everything that the machine does meanwhile, at user level and in the kernel, checksums
// and wake-ups included; what is done once (loading programs, pinning, checking a page for the first time) is not.
//
// Prints one JSON object a line: {"engine":"pread","height":6,"chains":16,"instructionsPerHop":16200}
#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "deep_table.hh"
#include "extent_pin.hh"
#include "loop_engine.hh"
#include "ring_engine.hh"
#include "spinner.hh"
#include "table_lookup.hh"

using namespace exopool;

namespace {

uint64_t random_state;

uint64_t NextRandom() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

[[noreturn]] void Give(const std::string &why) {
  fprintf(stderr, "lookup_instructions: %s\n", why.c_str());
  exit(1);
}

struct Batch {
  KeyBatch keys;
  std::vector<uint64_t> wanted;
  std::vector<LookupResult> results;
};

std::vector<Batch> MakeBatches(uint64_t entries, unsigned chains, unsigned lookups) {
  random_state = 88172645463325252;
  std::vector<Batch> batches((lookups + chains - 1) / chains);
  for (Batch &batch : batches) {
    batch.results.resize(chains);
    for (unsigned i = 0; i < chains; i++) {
      batch.wanted.push_back(NextRandom() % entries);
      std::string key = DeepTable::KeyOf(batch.wanted.back());
      batch.keys.Add(reinterpret_cast<const uint8_t *>(key.data()), key.size());
    }
  }
  return batches;
}

void Check(const Batch &batch, const char *engine) {
  for (size_t i = 0; i < batch.wanted.size(); i++) {
    const LookupResult &result = batch.results[i];
    uint64_t value = 0;
    if (result.found && result.value.size() == sizeof(value)) memcpy(&value, result.value.data(), sizeof(value));
    if (!result.found || value != batch.wanted[i]) Give(std::string(engine) + " answers wrongly");
  }
}

// Submits a call of a ring's engine and waits for it.
template <typename Call, typename Engine>
void LookUp(Engine &engine, std::shared_ptr<TableFile> table, Batch *batch, std::function<void(Call *)> fill) {
  std::promise<void> done;
  auto call = std::make_shared<Call>();
  call->table = std::move(table);
  call->keys = &batch->keys;
  call->count = batch->wanted.size();
  call->results = batch->results.data();
  call->value_bytes_max = UINT64_MAX;
  call->done = [&done] { done.set_value(); };
  fill(call.get());
  engine.Submit(std::move(call));
  done.get_future().wait();
}

using Contender = std::function<void(std::shared_ptr<TableFile>, Batch *)>;

void ByPread(std::shared_ptr<TableFile> table, Batch *batch) {
  LookupByPread(*table, batch->keys, 0, batch->wanted.size(), batch->results.data());
}

void ByRing(std::shared_ptr<TableFile> table, Batch *batch) {
  LookUp<RingCall>(RingEngine::Get(), std::move(table), batch, [](RingCall *) {});
}

Contender ByLoop(exo_loop_kind kind) {
  return [kind](std::shared_ptr<TableFile> table, Batch *batch) {
    LookUp<LoopCall>(LoopEngine::Get(), std::move(table), batch, [kind](LoopCall *call) { call->kind = kind; });
  };
}

void Measure(Spinner *spinner, const char *name, const Contender &look_up, std::shared_ptr<TableFile> table,
             unsigned chains, unsigned lookups) {
  std::vector<Batch> batches = MakeBatches(table->header().entries, chains, lookups);
  // Once for what is done once; the second time is counted.
  for (Batch &batch : batches) look_up(table, &batch);
  for (Batch &batch : batches) std::fill(batch.results.begin(), batch.results.end(), LookupResult());
  spinner->Start();
  for (Batch &batch : batches) look_up(table, &batch);
  double instructions = spinner->Instructions();
  for (const Batch &batch : batches) Check(batch, name);
  double hops = static_cast<double>(batches.size()) * chains * table->header().height;
  printf("{\"engine\":\"%s\",\"height\":%u,\"chains\":%u,\"instructionsPerHop\":%.0f}\n", name,
         table->header().height, chains, instructions / hops);
  fflush(stdout);
}

std::shared_ptr<TableFile> MakeTable(const std::string &folder, unsigned height) {
  std::string path = folder + "/table" + std::to_string(height);
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || !DeepTable().Write(fd, height) || fsync(fd) != 0) Give("cannot write " + path);
  close(fd);
  TableFile::Options options;
  options.direct = true;
  options.cache_interior = false;
  Failure failure;
  std::shared_ptr<TableFile> table = TableFile::Open(path, options, &failure);
  if (failure || !table->direct()) Give("cannot open " + path + " for direct I/O: " + failure.detail);
  return table;
}

}  // namespace

int main(int count, char **words) {
  if (count != 5) Give("usage: lookup_instructions FOLDER HEIGHT CHAINS LOOKUPS");
  auto height = static_cast<unsigned>(atoi(words[2])), chains = static_cast<unsigned>(atoi(words[3]));
  auto lookups = static_cast<unsigned>(atoi(words[4]));
  if (height < 1 || height > EXO_HEIGHT_MAX || chains < 1 || chains > EXO_LOOP_CHAINS || lookups < 1)
    Give("HEIGHT is 1 to 8, CHAINS 1 to 64");
  Spinner spinner;
  fprintf(stderr, "a turn of the idle loop: %.3f instructions\n", spinner.each());
  std::shared_ptr<TableFile> table = MakeTable(words[1], height);
  Measure(&spinner, "pread", ByPread, table, chains, lookups);
  if (RingEngine::Get().error() == 0) Measure(&spinner, "io-uring", ByRing, table, chains, lookups);
  LoopEngine &loop = LoopEngine::Get();
  if (!loop.available()) Give(loop.reason());
  Measure(&spinner, "io-uring-bpf", ByLoop(EXO_LOOP_FILE), table, chains, lookups);
  std::string refusal = ExtentPins::Get().Pin(table.get());
  if (!refusal.empty()) Give(refusal);
  Measure(&spinner, "nvme-bpf", ByLoop(EXO_LOOP_NVME), table, chains, lookups);
  ExtentPins::Get().Unpin(table.get());
  return 0;
}
