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
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "deep_table.hh"
#include "extent_pin.hh"
#include "lookup.hh"
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
};

std::vector<Batch> MakeBatches(uint64_t entries, unsigned chains, unsigned lookups) {
  random_state = 88172645463325252;
  std::vector<Batch> batches((lookups + chains - 1) / chains);
  for (Batch &batch : batches) {
    for (unsigned i = 0; i < chains; i++) {
      batch.wanted.push_back(NextRandom() % entries);
      std::string key = DeepTable::KeyOf(batch.wanted.back());
      batch.keys.Add(reinterpret_cast<const uint8_t *>(key.data()), key.size());
    }
  }
  return batches;
}

void Check(const Batch &batch, Lookup *lookup, const char *engine) {
  for (size_t i = 0; i < batch.wanted.size(); i++) {
    const LookupResult &result = lookup->result(i);
    uint64_t value = 0;
    if (result.found && result.value.size() == sizeof(value)) memcpy(&value, result.value.data(), sizeof(value));
    if (!result.found || value != batch.wanted[i]) Give(std::string(engine) + " answers wrongly");
  }
}

// Looks up a batch and waits for it; with pread on this thread, as a plain loop would.
void Run(Lookup *lookup, Engine engine, TableFile *table) {
  std::vector<uint32_t> all(lookup->keys().size());
  std::iota(all.begin(), all.end(), 0);
  if (engine == Engine::kPread)
    return LookupByPread(*table, lookup->keys(), all.data(), all.size(), lookup->results().data());
  std::promise<void> done;
  lookup->done = [&done] { done.set_value(); };
  lookup->Start(std::move(all));
  done.get_future().wait();
}

void Measure(Spinner *spinner, const char *name, Engine engine, const std::shared_ptr<TableFile> &table,
             unsigned chains, unsigned lookups) {
  std::vector<Batch> batches = MakeBatches(table->header().entries, chains, lookups);
  auto version = std::make_shared<TableVersion>();
  version->tables.push_back({table, "", "", false});
  auto engines = std::make_shared<Lookup::Engines>(1, engine);
  auto prepare = [&] {
    std::vector<std::shared_ptr<Lookup>> prepared;
    for (const Batch &batch : batches)
      prepared.push_back(std::make_shared<Lookup>(version, engines, batch.keys));
    return prepared;
  };
  // Once for what is done once; the second time is counted.
  for (const std::shared_ptr<Lookup> &lookup : prepare()) Run(lookup.get(), engine, table.get());
  std::vector<std::shared_ptr<Lookup>> counted = prepare();
  spinner->Start();
  for (const std::shared_ptr<Lookup> &lookup : counted) Run(lookup.get(), engine, table.get());
  double instructions = spinner->Instructions();
  for (size_t i = 0; i < batches.size(); i++) Check(batches[i], counted[i].get(), name);
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
  Measure(&spinner, "pread", Engine::kPread, table, chains, lookups);
  if (RingEngine::Get().error() == 0) Measure(&spinner, "io-uring", Engine::kIoUring, table, chains, lookups);
  LoopEngine &loop = LoopEngine::Get();
  if (!loop.available()) Give(loop.reason());
  Measure(&spinner, "io-uring-bpf", Engine::kIoUringBpf, table, chains, lookups);
  std::string refusal = ExtentPins::Get().Pin(table.get());
  if (!refusal.empty()) Give(refusal);
  Measure(&spinner, "nvme-bpf", Engine::kNvmeBpf, table, chains, lookups);
  ExtentPins::Get().Unpin(table.get());
  return 0;
}
