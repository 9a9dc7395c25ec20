// SPDX-License-Identifier: Apache-2.0
// The tables of a store at one moment, the newest first. It never changes: a flush or a compaction replaces it, and
// running lookups keep theirs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "table/table_file.hh"

namespace exopool {

struct VersionTable {
  std::shared_ptr<TableFile> file;
  std::string smallest, largest;  // keys
  bool has_bounds = true;

  bool InRange(std::string_view key) const { return !has_bounds || (smallest <= key && key <= largest); }
};

struct TableVersion {
  std::vector<VersionTable> tables;

  // The first table in [`from`, `end`) that may have the key; `end` if there is none. Counts in `*refused` the tables
  // that only their filter ruled out.
  size_t Next(size_t from, size_t end, std::string_view key, uint64_t hash, uint64_t *refused) const {
    for (; from < end; from++) {
      const VersionTable &table = tables[from];
      if (!table.InRange(key)) continue;
      if (table.file->MayHold(hash)) break;
      ++*refused;
    }
    return from;
  }
};

}  // namespace exopool
