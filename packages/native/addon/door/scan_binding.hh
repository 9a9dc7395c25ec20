// SPDX-License-Identifier: Apache-2.0
// A scan as JavaScript requests it: its sources, its range of keys, and its limit.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/run_sorter.hh"
#include "table/merge_scan.hh"
#include "table/table_file.hh"
#include "table/table_source.hh"

namespace exopool {

using RunHandle = std::shared_ptr<RunSorter>;

// Of a number in the values.
struct Aggregate {
  uint64_t count = 0, with_field = 0;
  double sum = 0, min = INFINITY, max = -INFINITY;

  void Add(double number) {
    with_field++;
    sum += number;
    min = Lesser(min, number);
    max = -Lesser(-max, -number);
  }
  // As Math.min: NaN if either is, and -0 is less than 0.
  static double Lesser(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return NAN;
    if (a == b) return std::signbit(a) ? a : b;
    return a < b ? a : b;
  }
};

struct Scan {
  explicit Scan(bool reverse) : merge(reverse) {}

  MergeScan merge;
  bool keys_only = false;
  uint64_t limit = UINT64_MAX;  // entries still to be given
  uint64_t entries_max = 0;     // that the sources have together
  bool started = false;
  Aggregate aggregate;
  // The cache of leaves for short scans, for the JavaScript thread alone; null: none.
  std::shared_ptr<LeafCache> leaves;
  std::vector<TableSource *> tables;
  size_t pages = 0;  // in the first reads of all tables

  // Moves to the first entry; no effect if the scan already stands on one.
  Failure Begin();
  // Chooses the source from now on: memory alone, or files.
  void ReadFrom(LeafCache *memory);
};

// From the object that src/table/table-scan.ts makes.
std::shared_ptr<Scan> ScanFromJs(const Napi::Object &spec);

}  // namespace exopool
