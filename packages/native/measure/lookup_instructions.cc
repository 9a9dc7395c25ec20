// SPDX-License-Identifier: Apache-2.0
// Counted instructions per hop, by engine, in a guest of `exopool vm --icount --nvme SIZE --nvme-read-ms 1`:
//
//   lookup_instructions FOLDER DEPTHS CHAINS WINDOWS HOPS      such as: /mnt 1,6,10 1,16 5 2000
//
// FOLDER is on the device to measure. Each engine looks up the same keys in the same table of a depth, as many at a
// time as CHAINS says: one call, waited for, after the other. Every hop reads its page from the device (O_DIRECT, no
// cached interior pages), as the engines of the kernel do. The count includes all work of the machine meanwhile, at
// user level and in the kernel, with checksums, interrupts and wake-ups. One-time work (loading programs, pinning,
// checking a page for the first time) is not counted. In each of the WINDOWS, of some HOPS each, the engines take
// turns; the figure is the median.
//
// Prints one JSON object a line, (1) for what was measured and (2) for an engine that does not run:
//   1 {"engine":"pread","fileSystem":"ext4","depth":6,"chains":16,"instructionsPerHop":16200,
//      "low":16150,"high":16300,"hops":2016}
//   2 {"engine":"nvme-bpf","refused":"..."}
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>

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
#include "engines/extent_pin.hh"
#include "engines/lookup.hh"
#include "engines/loop_engine.hh"
#include "engines/ring_engine.hh"
#include "engines/table_lookup.hh"
#include "spinner.hh"

using namespace exopool;

namespace {

// The table has 3 ^ depth entries: 120 MB of pages at this one.
constexpr unsigned kDepthMax = 10;
// Guest time for the file system's write-back and for started threads to become idle.
constexpr useconds_t kSettleUs = 200'000;

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

std::vector<Batch> MakeBatches(uint64_t entries, unsigned chains, unsigned count) {
  random_state = 88172645463325252;
  std::vector<Batch> batches(count);
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

struct Contender {
  const char *name;
  Engine engine;
  std::vector<double> per_hop;  // one a window
};

// One window of a contender.
double Count(Spinner *spinner, const Contender &contender, const std::shared_ptr<TableFile> &table,
             const std::vector<Batch> &batches) {
  auto version = std::make_shared<TableVersion>();
  version->tables.push_back({table, "", "", false});
  auto engines = std::make_shared<Lookup::Engines>(1, contender.engine);
  std::vector<std::shared_ptr<Lookup>> lookups;
  for (const Batch &batch : batches) lookups.push_back(std::make_shared<Lookup>(version, engines, batch.keys));
  spinner->Start();
  for (const std::shared_ptr<Lookup> &lookup : lookups) Run(lookup.get(), contender.engine, table.get());
  double instructions = spinner->Instructions();
  for (size_t i = 0; i < batches.size(); i++) Check(batches[i], lookups[i].get(), contender.name);
  return instructions;
}

void Print(const char *file_system, unsigned depth, unsigned chains, double hops, Contender *contender) {
  std::vector<double> &counts = contender->per_hop;
  std::sort(counts.begin(), counts.end());
  printf(
      "{\"engine\":\"%s\",\"fileSystem\":\"%s\",\"depth\":%u,\"chains\":%u,\"instructionsPerHop\":%.0f,"
      "\"low\":%.0f,\"high\":%.0f,\"hops\":%.0f}\n",
      contender->name, file_system, depth, chains, counts[counts.size() / 2], counts.front(), counts.back(), hops);
  fflush(stdout);
}

std::shared_ptr<TableFile> MakeTable(const std::string &path, unsigned depth) {
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || !DeepTable().Write(fd, depth) || fsync(fd) != 0) Give("cannot write " + path);
  close(fd);
  sync();
  TableFile::Options options;
  options.direct = true;
  options.cache_interior = false;
  Failure failure;
  std::shared_ptr<TableFile> table = TableFile::Open(path, options, &failure);
  if (failure || !table->direct()) Give("cannot open " + path + " for direct I/O: " + failure.detail);
  return table;
}

const char *FileSystemOf(const std::string &folder) {
  struct statfs found;
  if (statfs(folder.c_str(), &found) != 0) Give("cannot look at " + folder);
  return found.f_type == EXT4_SUPER_MAGIC ? "ext4" : found.f_type == XFS_SUPER_MAGIC ? "xfs" : "other";
}

// "1,6,10"
std::vector<unsigned> Numbers(const char *text, unsigned max) {
  std::vector<unsigned> numbers;
  for (const char *at = text;; at++) {
    char *end;
    unsigned long number = strtoul(at, &end, 10);
    if (end == at || number < 1 || number > max) Give("numbers from 1 to " + std::to_string(max) + ", not " + text);
    numbers.push_back(static_cast<unsigned>(number));
    if (*end == 0) return numbers;
    if (*end != ',') Give(std::string("a list of numbers, not ") + text);
    at = end;
  }
}

// The engines that run here; a line for each of the others.
std::vector<Contender> Contenders(TableFile *table) {
  std::vector<Contender> all = {{"pread", Engine::kPread, {}}};
  auto add = [&all](const char *name, Engine engine, const std::string &refusal) {
    if (refusal.empty())
      all.push_back({name, engine, {}});
    else
      printf("{\"engine\":\"%s\",\"refused\":\"%s\"}\n", name, refusal.c_str());
  };
  LoopEngine &loop = LoopEngine::Get();
  std::string refusal = loop.available() ? ExtentPins::Get().Pin(table) : loop.reason();
  int error = RingEngine::Get().error();
  add("io-uring", Engine::kIoUring, error == 0 ? "" : strerror(error));
  add("io-uring-bpf", Engine::kIoUringBpf, loop.reason());
  add("nvme-bpf", Engine::kNvmeBpf, refusal);
  return all;
}

void MeasureDepth(Spinner *spinner, const std::string &folder, unsigned depth,
                  const std::vector<unsigned> &chain_counts, unsigned windows, unsigned hops_wanted) {
  std::string path = folder + "/table";
  std::shared_ptr<TableFile> table = MakeTable(path, depth);
  std::vector<Contender> contenders = Contenders(table.get());
  for (unsigned chains : chain_counts) {
    unsigned count = std::max(1u, hops_wanted / (chains * depth));
    std::vector<Batch> batches = MakeBatches(table->header().entries, chains, count);
    double hops = static_cast<double>(count) * chains * depth;
    // A warm-up for one-time work.
    for (const Contender &contender : contenders) Count(spinner, contender, table, batches);
    usleep(kSettleUs);
    for (unsigned window = 0; window < windows; window++) {
      for (Contender &contender : contenders)
        contender.per_hop.push_back(Count(spinner, contender, table, batches) / hops);
    }
    for (Contender &contender : contenders) {
      Print(FileSystemOf(folder), depth, chains, hops, &contender);
      contender.per_hop.clear();
    }
  }
  ExtentPins::Get().Unpin(table.get());
  unlink(path.c_str());
}

}  // namespace

int main(int count, char **words) {
  if (count != 6) Give("usage: lookup_instructions FOLDER DEPTHS CHAINS WINDOWS HOPS");
  std::vector<unsigned> depths = Numbers(words[2], kDepthMax), chains = Numbers(words[3], EXO_LOOP_CHAINS);
  unsigned windows = Numbers(words[4], 1000)[0], hops = Numbers(words[5], 10'000'000)[0];
  Spinner spinner;
  fprintf(stderr, "a turn of the idle loop: %.3f instructions\n", spinner.each());
  for (unsigned depth : depths) MeasureDepth(&spinner, words[1], depth, chains, windows, hops);
  return 0;
}
