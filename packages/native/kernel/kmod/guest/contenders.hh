// SPDX-License-Identifier: Apache-2.0
// The contenders: pread, io_uring and the driver's modes, by depth and by chains in flight.
#pragma once

#include <getopt.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <numeric>

#include "walks.hh"

namespace exopool {

struct ContenderOptions {
  std::string file_system = "ext4";
  std::vector<uint32_t> depths = {6}, chains = {1, 4, 16, 64};
  uint64_t walks = 640;
  std::string file, object;
};

struct Contender {
  std::string engine;
  uint32_t depth, chains;
  std::function<uint64_t(uint64_t *empty_polls)> run;
  std::vector<double> per_hop = {}, empty_polls_per_hop = {};  // of each round
};

// All of a depth walk the same chains; the first one is pread.
inline void AddContenders(Walks &walks, uint32_t depth, const std::vector<uint32_t> &all_chains,
                          std::vector<Contender> *all) {
  all->push_back({"pread", depth, 1, [&walks, depth](uint64_t *) { return walks.ByPread(depth); }});
  for (uint32_t chains : all_chains) {
    auto ring = [&walks, depth, chains](uint64_t *) { return walks.ByRing(depth, chains); };
    all->push_back({"io-uring", depth, chains, ring});
    for (const auto &[engine, mode] : kDriverModes) {
      if (!walks.Has(mode)) continue;
      auto run = [&walks, mode = mode, depth, chains](uint64_t *empty_polls) {
        return walks.ByDriver(mode, depth, chains, empty_polls);
      };
      all->push_back({engine, depth, chains, run});
    }
  }
}

inline std::vector<Contender> ContendersOf(Walks &walks, const ContenderOptions &options) {
  std::vector<Contender> all;
  for (uint32_t depth : options.depths) AddContenders(walks, depth, options.chains, &all);
  return all;
}

// One turn of every contender, which must come to the same last blocks as the first of its depth. `start` begins a
// measurement, and `measure` returns the measured value of a whole turn.
inline void RunRound(const Walks &walks, std::vector<Contender> *all, const std::function<void()> &start,
                     const std::function<double()> &measure) {
  uint64_t expected = 0;
  for (Contender &one : *all) {
    start();
    uint64_t empty_polls = 0, sum = one.run(&empty_polls);
    double hops = static_cast<double>(walks.count() * one.depth);
    one.per_hop.push_back(measure() / hops);
    one.empty_polls_per_hop.push_back(static_cast<double>(empty_polls) / hops);
    if (one.engine == "pread") expected = sum;
    if (sum != expected) Die(one.engine + " came to other blocks");
  }
}

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A line of JSON with the median of the rounds as `figure`.
inline void Print(const ContenderOptions &options, const Contender &one, const char *figure) {
  auto [low, high] = std::minmax_element(one.per_hop.begin(), one.per_hop.end());
  printf(
      "{\"engine\": \"%s\", \"fileSystem\": \"%s\", \"depth\": %u, \"chains\": %u, \"%s\": %.0f, \"low\": %.0f, "
      "\"high\": %.0f, \"hops\": %llu}\n",
      one.engine.c_str(), options.file_system.c_str(), one.depth, one.chains, figure, Median(one.per_hop), *low, *high,
      static_cast<unsigned long long>(options.walks * one.depth * one.per_hop.size()));
}

// Numbers separated by commas, 1 .. max; none where the text is something else.
inline std::vector<uint32_t> ParseList(const char *text, uint32_t max) {
  std::vector<uint32_t> list;
  for (char *end = nullptr;; text = end + 1) {
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || value < 1 || value > max || (*end != ',' && *end != '\0')) return {};
    list.push_back(static_cast<uint32_t>(value));
    if (*end == '\0') return list;
  }
}

// [--file-system NAME] [--depths LIST] [--chains LIST] [--walks NUMBER] FILE OBJECT
inline bool ParseOptions(int argc, char **argv, ContenderOptions *options) {
  const option known[] = {{"file-system", required_argument, nullptr, 'f'},
                          {"depths", required_argument, nullptr, 'd'},
                          {"chains", required_argument, nullptr, 'c'},
                          {"walks", required_argument, nullptr, 'w'},
                          {nullptr, 0, nullptr, 0}};
  for (int which; (which = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (which == 'f')
      options->file_system = optarg;
    else if (which == 'd')
      options->depths = ParseList(optarg, EXO_HOPS_MAX);
    else if (which == 'c')
      options->chains = ParseList(optarg, EXO_FLIGHTS_MAX);
    else if (which == 'w')
      options->walks = strtoull(optarg, nullptr, 10);
    else
      return false;
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

}  // namespace exopool
