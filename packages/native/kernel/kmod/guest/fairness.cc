// SPDX-License-Identifier: Apache-2.0
// The share of the CPU that a computing process keeps beside 64 chains that run without pause.
//
//   fairness [--file-system NAME] [--seconds 2] [--budgets 0,50000] FILE OBJECT
//
// Two processes that want one CPU get half of it each, and interrupts and workers are charged to no process, or to the
// interrupted one. For each mode and budget (chained reads a second; 0: no limit) it prints a line of JSON with the
// neighbour's share. The walker is greedy: after a refusal for its budget it retries at once.
#include <getopt.h>

#include "spinner.hh"
#include "walks.hh"

using namespace exopool;

namespace {

constexpr uint32_t kDepth = 6;
constexpr uint32_t kChains = EXO_FLIGHTS_MAX;
constexpr char kBudget[] = "/sys/module/exopool/parameters/budget";

struct Options {
  std::string file_system = "ext4", budgets = "0,50000";
  double seconds = 2;
  std::string file, object;
};

struct Shares {
  double neighbour = 0, hops_per_s = 0;
};

void SetBudget(const std::string &budget) {
  FILE *file = fopen(kBudget, "w");
  if (file == nullptr || fputs(budget.c_str(), file) < 0 || fclose(file) != 0) Die(kBudget);
}

Shares WalkBeside(Spinner *neighbour, Walks *walks, exo_mode mode, double seconds) {
  Random random(23);
  exo_request requests[EXO_FLIGHTS_MAX];
  uint64_t hops = 0;
  neighbour->Start();
  while (neighbour->ElapsedNs() < seconds * 1e9) {
    walks->RunBatch(mode, kDepth, kChains, &random, requests);
    for (const exo_request &request : requests) {
      if (request.end != EXO_END_DONE && request.end != EXO_END_BUDGET) Die("a chain ended early");
      hops += request.hops;
    }
  }
  double elapsed_ns = neighbour->ElapsedNs();
  return {1 - neighbour->WorkNs() / elapsed_ns, static_cast<double>(hops) / (elapsed_ns / 1e9)};
}

bool ParseOptions(int argc, char **argv, Options *options) {
  const option known[] = {{"file-system", required_argument, nullptr, 'f'},
                          {"seconds", required_argument, nullptr, 's'},
                          {"budgets", required_argument, nullptr, 'b'},
                          {nullptr, 0, nullptr, 0}};
  for (int which; (which = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (which == 'f')
      options->file_system = optarg;
    else if (which == 's')
      options->seconds = atof(optarg);
    else if (which == 'b')
      options->budgets = optarg;
    else
      return false;
  }
  if (argc - optind != 2 || options->seconds <= 0) return false;
  options->file = argv[optind];
  options->object = argv[optind + 1];
  return true;
}

std::vector<std::string> Split(const std::string &list) {
  std::vector<std::string> parts;
  for (size_t at = 0, end; at <= list.size(); at = end + 1) {
    end = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, end - at));
  }
  return parts;
}

}  // namespace

int main(int argc, char **argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) return 2;
  Walks walks(options.file, options.object, kChains);
  Spinner neighbour(SCHED_OTHER);
  for (const auto &[engine, mode] : kDriverModes) {
    if (!walks.Has(mode)) continue;
    for (const std::string &budget : Split(options.budgets)) {
      SetBudget(budget);
      Shares shares = WalkBeside(&neighbour, &walks, mode, options.seconds);
      printf(
          "{\"engine\": \"%s\", \"fileSystem\": \"%s\", \"depth\": %u, \"chains\": %u, \"budget\": %s, "
          "\"neighbourShare\": %.3f, \"hopsPerS\": %.0f}\n",
          engine, options.file_system.c_str(), kDepth, kChains, budget.c_str(), shares.neighbour, shares.hops_per_s);
      fflush(stdout);
    }
  }
  SetBudget("0");
  return 0;
}
