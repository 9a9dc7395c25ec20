// SPDX-License-Identifier: Apache-2.0
// Merges the runs that are swapped out now with those known before, against a model with one entry a page.
//
//   bytes   gap, pages (each mod 8): runs in order; the first half of the input is `before`, the rest `now`
#include <cstdlib>
#include <map>

#include "fuzz_target.hh"
#include "machine/process_pages.cc"
#include "machine/swap_history.cc"

namespace {

using exopool::SwapRun;

constexpr uint32_t kStep = 1000;

std::vector<SwapRun> Runs(const uint8_t *data, size_t size) {
  std::vector<SwapRun> runs;
  uint64_t page = 0;
  for (size_t i = 0; i + 1 < size; i += 2) {
    page += data[i] % 8;
    const uint64_t pages = 1 + data[i + 1] % 8;
    runs.push_back({page, pages, data[i + 1] / 64u});
    page += pages;
  }
  return runs;
}

std::map<uint64_t, uint32_t> Pages(const std::vector<SwapRun> &runs) {
  std::map<uint64_t, uint32_t> pages;
  for (const SwapRun &run : runs) {
    for (uint64_t i = 0; i < run.pages; ++i) pages[run.page + i] = run.step;
  }
  return pages;
}

void Require(bool condition) {
  if (!condition) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::vector<SwapRun> before = Runs(data, size / 2);
  std::vector<exopool::PageRun> now;
  for (const SwapRun &run : Runs(data + size / 2, size - size / 2)) now.push_back({run.page, run.pages});
  const std::map<uint64_t, uint32_t> known = Pages(before);
  std::map<uint64_t, uint32_t> expected;
  for (const exopool::PageRun &run : now) {
    for (uint64_t page = run.page; page < run.page + run.pages; ++page)
      expected[page] = known.count(page) != 0 ? known.at(page) : kStep;
  }
  const std::vector<SwapRun> merged = exopool::MergeRuns(before, now, kStep);
  Require(Pages(merged) == expected);
  for (size_t i = 1; i < merged.size(); ++i) Require(merged[i - 1].page + merged[i - 1].pages <= merged[i].page);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds(4);
  for (FuzzInput &seed : seeds) {
    seed.resize(random() % 64);
    for (uint8_t &byte : seed) byte = static_cast<uint8_t>(random());
  }
  return seeds;
}
