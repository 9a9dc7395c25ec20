// SPDX-License-Identifier: Apache-2.0
// Counts the instructions of one hop, six hops a chain: pread, io_uring and the driver's modes, in one run.
//
//   instructions FILE OBJECT [chains]      in a guest under -icount shift=0, with one CPU and tsc=reliable
//
// There one instruction takes one nanosecond of guest time, so the clock counts them; it repeats within a per cent.
// A child of the class SCHED_IDLE counts loop turns in all the time that is left, and what is not its own is work:
// system calls, interrupts, context switches, all of it. Contenders take turns, and each round walks the same chains.
// The disk should be slower than a switch to another process, as real ones are: an image without the host's cache.
//
// Polling is work, and how much of it is empty depends on the emulated device, whose time is not the guest's. The
// module counts empty polls; they vary so much that their price is the slope of a line, and `poll` is what is left
// of the work without them: what polling costs on a device that is never waited for.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <map>

#include "chase_file.hh"
#include "driver_client.hh"
#include "ring.hh"

using namespace exopool;

namespace {

constexpr uint32_t kHops = 6;
constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kBlocks = 4096;
constexpr int kRounds = 3;
constexpr uint32_t kDepths[] = {1, 4, 16, 64};

double NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// What the CPU does when nothing else wants it: turns of a loop of two instructions.
class Spinner {
 public:
  Spinner() {
    turns_ = static_cast<volatile uint64_t *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      sched_param none{};
      sched_setscheduler(0, SCHED_IDLE, &none);
      for (;;) asm volatile("1: incq (%0)\n jmp 1b" : : "r"(turns_) : "memory");
    }
    // A turn takes 2 ns, and a little for the clock's ticks. Windows in which the kernel did more count for nothing.
    for (int window = 0; window < kWindows; window++) {
      Start();
      usleep(kWindowUs);
      double turn_ns = (NowNs() - start_ns_) / static_cast<double>(*turns_ - start_turns_);
      if (window == 0 || turn_ns < turn_ns_) turn_ns_ = turn_ns;
    }
  }
  ~Spinner() { kill(child_, SIGKILL); }

  void Start() {
    start_turns_ = *turns_;
    start_ns_ = NowNs();
  }
  double WorkNs() const {
    return NowNs() - start_ns_ - static_cast<double>(*turns_ - start_turns_) * turn_ns_;
  }
  double turn_ns() const { return turn_ns_; }

 private:
  static constexpr int kWindows = 10;
  static constexpr unsigned kWindowUs = 100000;

  volatile uint64_t *turns_;
  pid_t child_;
  uint64_t start_turns_ = 0;
  double start_ns_ = 0, turn_ns_ = 0;
};

struct Setup {
  int fd = -1;
  std::vector<Block> content;
  uint64_t chains = 0;
  uint8_t *buffers = nullptr;
  DriverSession session;
  exo_attach file{};
};

uint64_t FirstOffset(Random *random) { return random->Below(kBlocks) * kBlockBytes; }

// Each returns the sum of the last blocks' numbers, which must agree.
uint64_t RunPread(Setup &setup) {
  Random random(7);
  uint64_t sum = 0;
  for (uint64_t chain = 0; chain < setup.chains; chain++) {
    uint64_t offset = FirstOffset(&random);
    const Block *block = reinterpret_cast<Block *>(setup.buffers);
    for (uint32_t hop = 0; hop < kHops; hop++) {
      if (pread(setup.fd, setup.buffers, kBlockBytes, static_cast<off_t>(offset)) != kBlockBytes) Die("pread");
      offset = block->next;
    }
    sum += block->number;
  }
  return sum;
}

uint64_t RunRing(Setup &setup, uint32_t depth) {
  static Ring *ring = [&setup] {
    auto made = new Ring();
    iovec all = {setup.buffers, EXO_FLIGHTS_MAX * kBlockBytes};
    if (made->Open(128) != 0 || made->RegisterBuffers(&all, 1) != 0 || made->RegisterEmptyFiles(1) != 0 ||
        made->SetFile(0, setup.fd) != 0)
      Die("io_uring");
    return made;
  }();
  Random random(7);
  uint64_t sum = 0, started = 0;
  uint32_t hops[EXO_FLIGHTS_MAX] = {}, live = 0;
  auto read = [&setup](uint32_t slot, uint64_t offset) {
    io_uring_sqe *sqe = ring->Next();
    sqe->opcode = IORING_OP_READ_FIXED;
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->off = offset;
    sqe->addr = reinterpret_cast<uint64_t>(setup.buffers + slot * kBlockBytes);
    sqe->len = kBlockBytes;
    sqe->user_data = slot;
  };
  auto start = [&](uint32_t slot) {
    hops[slot] = 0;
    started++;
    live++;
    read(slot, FirstOffset(&random));
  };
  for (uint32_t slot = 0; slot < depth; slot++) start(slot);
  while (live > 0) {
    if (ring->Enter(1) != 0) Die("io_uring_enter");
    ring->ForEachCompletion([&](uint64_t slot, int result) {
      if (result != static_cast<int>(kBlockBytes)) Die("io_uring read");
      const Block *block = reinterpret_cast<Block *>(setup.buffers + slot * kBlockBytes);
      if (++hops[slot] < kHops) return read(static_cast<uint32_t>(slot), block->next);
      sum += block->number;
      live--;
      if (started < setup.chains) start(static_cast<uint32_t>(slot));
    });
  }
  return sum;
}

uint64_t RunDriver(Setup &setup, exo_mode mode, uint32_t depth, uint64_t *empty_polls) {
  Random random(7);
  uint64_t sum = 0;
  exo_request requests[EXO_FLIGHTS_MAX];
  exo_run run;
  for (uint64_t chain = 0; chain < setup.chains; chain += depth) {
    for (uint32_t i = 0; i < depth; i++) {
      requests[i].offset = FirstOffset(&random);
      requests[i].scratch[0] = kHops;
    }
    errno = setup.session.Run(setup.file.file, mode, kHops, requests, depth, &run);
    if (errno != 0) Die("run");
    *empty_polls += run.empty_polls;
    for (uint32_t i = 0; i < depth; i++) {
      if (requests[i].end != EXO_END_DONE) Die("a chain ended early");
      sum += requests[i].scratch[1];
    }
  }
  return sum;
}

struct Contender {
  std::string name;
  uint32_t depth;
  std::function<uint64_t(uint64_t *empty_polls)> run;
  std::vector<double> per_hop, empty_polls_per_hop;
};

std::vector<Contender> Contenders(Setup &setup) {
  std::vector<Contender> all;
  all.push_back({"pread", 1, [&setup](uint64_t *) { return RunPread(setup); }, {}, {}});
  const std::pair<const char *, exo_mode> modes[] = {
      {"wait", EXO_MODE_WAIT}, {"thread", EXO_MODE_THREAD}, {"poll", EXO_MODE_POLL}, {"irq", EXO_MODE_IRQ}};
  for (uint32_t depth : kDepths) {
    all.push_back({"io-uring", depth, [&setup, depth](uint64_t *) { return RunRing(setup, depth); }, {}, {}});
    for (const auto &[name, mode] : modes) {
      if ((setup.file.modes & 1u << mode) == 0) continue;
      auto run = [&setup, mode = mode, depth](uint64_t *empty) { return RunDriver(setup, mode, depth, empty); };
      all.push_back({name, depth, run, {}, {}});
    }
  }
  return all;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Mean(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Least squares over the rounds of each contender about its own mean.
void TakeOutEmptyPolls(std::vector<Contender> *all) {
  double covariance = 0, variance = 0;
  for (const Contender &one : *all) {
    for (size_t i = 0; i < one.per_hop.size(); i++) {
      double polls = one.empty_polls_per_hop[i] - Mean(one.empty_polls_per_hop);
      covariance += polls * (one.per_hop[i] - Mean(one.per_hop));
      variance += polls * polls;
    }
  }
  if (variance == 0) return;
  fprintf(stderr, "an empty poll takes %.1f instructions\n", covariance / variance);
  for (Contender &one : *all) {
    for (size_t i = 0; i < one.per_hop.size(); i++)
      one.per_hop[i] -= one.empty_polls_per_hop[i] * covariance / variance;
  }
}

void Print(const std::vector<Contender> &all) {
  std::map<std::string, std::map<uint32_t, double>> table;
  printf("{\"suite\": \"driver-instructions\", \"rows\": [");
  for (const Contender &one : all) {
    double median = table[one.name][one.depth] = Median(one.per_hop);
    auto [low, high] = std::minmax_element(one.per_hop.begin(), one.per_hop.end());
    printf("%s{\"name\": \"%s\", \"chains\": %u, \"instructions_per_hop\": %.0f, \"low\": %.0f, \"high\": %.0f}",
           &one == &all.front() ? "" : ", ", one.name.c_str(), one.depth, median, *low, *high);
  }
  double pread = table["pread"][1];
  printf("], \"ratios\": {");
  const char *separator = "";
  for (const char *mode : {"irq", "poll", "wait", "thread"}) {
    if (table.count(mode) == 0) continue;
    printf("%s\"driver_%s_vs_pread_instructions\": %.2f, \"driver_%s_one_chain_vs_pread_instructions\": %.2f",
           separator, mode, pread / table[mode][16], mode, pread / table[mode][1]);
    separator = ", ";
  }
  printf("}}\n\n| instructions a hop, chains in flight | 1 | 4 | 16 | 64 |\n| --- | --- | --- | --- | --- |\n");
  for (const auto &[name, row] : table) {
    printf("| %s |", name.c_str());
    for (uint32_t depth : kDepths) row.count(depth) != 0 ? printf(" %.0f |", row.at(depth)) : printf(" |");
    printf("\n");
  }
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  Setup setup;
  setup.chains = argc > 3 ? strtoull(argv[3], nullptr, 10) : 640;
  std::string reason;
  auto program = DriverProgram::Load(argv[2], "chase", 0, &reason);
  if (program == nullptr) Die(reason);
  errno = setup.session.Open();
  if (errno != 0) Die(EXO_DRIVER_PATH);
  setup.fd = MakeChaseFile(argv[1], kBlocks, kBlockBytes, 88172645463325252ull, &setup.content);
  errno = setup.session.Attach(setup.fd, program->id(), kBlockBytes, true, &setup.file);
  if (errno != 0) Die("attach, refusal " + std::to_string(setup.file.refusal));
  setup.buffers = static_cast<uint8_t *>(aligned_alloc(kBlockBytes, EXO_FLIGHTS_MAX * kBlockBytes));
  std::vector<Contender> all = Contenders(setup);
  uint64_t expected = RunPread(setup);
  Spinner spinner;
  fprintf(stderr, "a turn of the spinner takes %.4f ns\n", spinner.turn_ns());
  for (int round = 0; round < kRounds; round++) {
    for (Contender &one : all) {
      spinner.Start();
      uint64_t empty_polls = 0, sum = one.run(&empty_polls);
      double hops = static_cast<double>(setup.chains * kHops);
      one.per_hop.push_back(spinner.WorkNs() / hops);
      one.empty_polls_per_hop.push_back(static_cast<double>(empty_polls) / hops);
      if (sum != expected) Die(one.name + " came to other blocks");
    }
  }
  TakeOutEmptyPolls(&all);
  Print(all);
  return 0;
}
