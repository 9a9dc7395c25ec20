// SPDX-License-Identifier: Apache-2.0
// Counts the instructions of one hop: pread, io_uring and the driver's modes, in one run.
//
//   instructions [--file-system NAME] [--depths 6] [--chains 1,4,16,64] [--walks 640] FILE OBJECT
//
// `depths` are hops a chain, `chains` how many are in flight together, `walks` how many each contender walks in each
// round, at least. Prints a line of JSON for each engine, depth and number of chains.
//
// In a guest under -icount shift=0, with one CPU and tsc=reliable, one instruction takes one nanosecond of guest time,
// so the clock counts them; it repeats within a per cent.
// A child of the class SCHED_IDLE counts loop turns in all the time that is left, and what is not its own is work:
// system calls, interrupts, context switches, all of it. Contenders take turns, and each round walks the same chains.
// The disk should be slower than a switch to another process, as real ones are: an image without the host's cache.
//
// Polling is work, and how much of it is empty depends on the emulated device, whose time is not the guest's. The
// module counts empty polls; they vary so much that their price is the slope of a line, and `poll` is what is left
// of the work without them: what polling costs on a device that is never waited for.
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>

#include "chase_file.hh"
#include "driver_client.hh"
#include "ring.hh"

using namespace exopool;

namespace {

constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kBlocks = 4096;
constexpr int kRounds = 3;

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

struct Options {
  std::string file_system = "ext4";
  std::vector<uint32_t> depths = {6}, chains = {1, 4, 16, 64};
  uint64_t walks = 640;
  std::string file, object;
};

struct Setup {
  int fd = -1;
  std::vector<Block> content;
  uint64_t walks = 0;
  uint8_t *buffers = nullptr;
  DriverSession session;
  exo_attach file{};
};

uint64_t FirstOffset(Random *random) { return random->Below(kBlocks) * kBlockBytes; }

// Each returns the sum of the last blocks' numbers, which must agree.
uint64_t RunPread(Setup &setup, uint32_t depth) {
  Random random(7);
  uint64_t sum = 0;
  for (uint64_t chain = 0; chain < setup.walks; chain++) {
    uint64_t offset = FirstOffset(&random);
    const Block *block = reinterpret_cast<Block *>(setup.buffers);
    for (uint32_t hop = 0; hop < depth; hop++) {
      if (pread(setup.fd, setup.buffers, kBlockBytes, static_cast<off_t>(offset)) != kBlockBytes) Die("pread");
      offset = block->next;
    }
    sum += block->number;
  }
  return sum;
}

uint64_t RunRing(Setup &setup, uint32_t depth, uint32_t chains) {
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
  for (uint32_t slot = 0; slot < chains; slot++) start(slot);
  while (live > 0) {
    if (ring->Enter(1) != 0) Die("io_uring_enter");
    ring->ForEachCompletion([&](uint64_t slot, int result) {
      if (result != static_cast<int>(kBlockBytes)) Die("io_uring read");
      const Block *block = reinterpret_cast<Block *>(setup.buffers + slot * kBlockBytes);
      if (++hops[slot] < depth) return read(static_cast<uint32_t>(slot), block->next);
      sum += block->number;
      live--;
      if (started < setup.walks) start(static_cast<uint32_t>(slot));
    });
  }
  return sum;
}

uint64_t RunDriver(Setup &setup, exo_mode mode, uint32_t depth, uint32_t chains, uint64_t *empty_polls) {
  Random random(7);
  uint64_t sum = 0;
  exo_request requests[EXO_FLIGHTS_MAX];
  exo_run run;
  for (uint64_t chain = 0; chain < setup.walks; chain += chains) {
    for (uint32_t i = 0; i < chains; i++) {
      requests[i].offset = FirstOffset(&random);
      requests[i].scratch[0] = depth;
    }
    errno = setup.session.Run(setup.file.file, mode, depth, requests, chains, &run);
    if (errno != 0) Die("run");
    *empty_polls += run.empty_polls;
    for (uint32_t i = 0; i < chains; i++) {
      if (requests[i].end != EXO_END_DONE) Die("a chain ended early");
      sum += requests[i].scratch[1];
    }
  }
  return sum;
}

struct Contender {
  std::string engine;
  uint32_t depth, chains;
  std::function<uint64_t(uint64_t *empty_polls)> run;
  std::vector<double> per_hop = {}, empty_polls_per_hop = {};
};

// All contenders of a depth walk the same chains; the first one is pread.
std::vector<Contender> ContendersOf(Setup &setup, uint32_t depth, const std::vector<uint32_t> &all_chains) {
  const std::pair<const char *, exo_mode> modes[] = {{"driver-wait", EXO_MODE_WAIT},
                                                     {"driver-thread", EXO_MODE_THREAD},
                                                     {"driver-poll", EXO_MODE_POLL},
                                                     {"driver-irq", EXO_MODE_IRQ}};
  std::vector<Contender> all;
  all.push_back({"pread", depth, 1, [&setup, depth](uint64_t *) { return RunPread(setup, depth); }});
  for (uint32_t chains : all_chains) {
    auto ring = [&setup, depth, chains](uint64_t *) { return RunRing(setup, depth, chains); };
    all.push_back({"io-uring", depth, chains, ring});
    for (const auto &[name, mode] : modes) {
      if ((setup.file.modes & 1u << mode) == 0) continue;
      auto run = [&setup, mode = mode, depth, chains](uint64_t *empty) {
        return RunDriver(setup, mode, depth, chains, empty);
      };
      all.push_back({name, depth, chains, run});
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

// A round of every contender; each must come to the same last blocks as the first of its depth.
void RunRound(Setup &setup, Spinner *spinner, std::vector<Contender> *all) {
  uint64_t expected = 0;
  for (Contender &one : *all) {
    spinner->Start();
    uint64_t empty_polls = 0, sum = one.run(&empty_polls);
    double hops = static_cast<double>(setup.walks * one.depth);
    one.per_hop.push_back(spinner->WorkNs() / hops);
    one.empty_polls_per_hop.push_back(static_cast<double>(empty_polls) / hops);
    if (one.engine == "pread") expected = sum;
    if (sum != expected) Die(one.engine + " came to other blocks");
  }
}

void Print(const Options &options, const Contender &one) {
  auto [low, high] = std::minmax_element(one.per_hop.begin(), one.per_hop.end());
  printf("{\"engine\": \"%s\", \"fileSystem\": \"%s\", \"depth\": %u, \"chains\": %u, \"instructionsPerHop\": %.0f, "
         "\"low\": %.0f, \"high\": %.0f, \"hops\": %llu}\n",
         one.engine.c_str(), options.file_system.c_str(), one.depth, one.chains, Median(one.per_hop), *low, *high,
         static_cast<unsigned long long>(options.walks * one.depth * kRounds));
}

// Numbers separated by commas, 1 .. max.
std::vector<uint32_t> ParseList(const char *text, uint32_t max) {
  std::vector<uint32_t> list;
  for (char *end = nullptr;; text = end + 1) {
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || value < 1 || value > max || (*end != ',' && *end != '\0')) return {};
    list.push_back(static_cast<uint32_t>(value));
    if (*end == '\0') return list;
  }
}

bool ParseOptions(int argc, char **argv, Options *options) {
  const option known[] = {{"file-system", required_argument, nullptr, 'f'},
                          {"depths", required_argument, nullptr, 'd'},
                          {"chains", required_argument, nullptr, 'c'},
                          {"walks", required_argument, nullptr, 'w'},
                          {nullptr, 0, nullptr, 0}};
  for (int which; (which = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (which == 'f') options->file_system = optarg;
    else if (which == 'd') options->depths = ParseList(optarg, EXO_HOPS_MAX);
    else if (which == 'c') options->chains = ParseList(optarg, EXO_FLIGHTS_MAX);
    else if (which == 'w') options->walks = strtoull(optarg, nullptr, 10);
    else return false;
  }
  // Whole batches, so that all walk the same chains.
  uint64_t batch = 1;
  for (uint32_t chains : options->chains) batch = std::lcm(batch, static_cast<uint64_t>(chains));
  options->walks = (options->walks + batch - 1) / batch * batch;
  if (argc - optind != 2 || options->walks == 0 || options->depths.empty() || options->chains.empty()) return false;
  options->file = argv[optind];
  options->object = argv[optind + 1];
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) return 2;
  Setup setup;
  setup.walks = options.walks;
  std::string reason;
  auto program = DriverProgram::Load(options.object, "chase", 0, &reason);
  if (program == nullptr) Die(reason);
  errno = setup.session.Open();
  if (errno != 0) Die(EXO_DRIVER_PATH);
  setup.fd = MakeChaseFile(options.file, kBlocks, kBlockBytes, 88172645463325252ull, &setup.content);
  errno = setup.session.Attach(setup.fd, program->id(), kBlockBytes, true, &setup.file);
  if (errno != 0) Die("attach, refusal " + std::to_string(setup.file.refusal));
  setup.buffers = static_cast<uint8_t *>(aligned_alloc(kBlockBytes, EXO_FLIGHTS_MAX * kBlockBytes));
  std::vector<Contender> all;
  for (uint32_t depth : options.depths) {
    std::vector<Contender> some = ContendersOf(setup, depth, options.chains);
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  RunPread(setup, 1);
  Spinner spinner;
  fprintf(stderr, "a turn of the spinner takes %.4f ns\n", spinner.turn_ns());
  for (int round = 0; round < kRounds; round++) RunRound(setup, &spinner, &all);
  TakeOutEmptyPolls(&all);
  for (const Contender &one : all) Print(options, one);
  return 0;
}
