// SPDX-License-Identifier: Apache-2.0
// Writes a table file from sorted entries, in one pass.
//
// One page is open at each level. When a key does not fit, the page is finished and goes to the file, and the level
// above gets the pair (separator, offset) as if it were an entry of its own; so a finished page can finish the page
// above it, up to the root:
//
//   level 2   [ -inf -> 9 | ...                  open
//   level 1   [ k -> 5 | p -> 6 | ...            open, pushes (first separator, offset) when full
//   level 0   [ s: 1, t: 2, ...                  open, pushes (shortest separator, offset) when full
//   file      header | leaf | values | leaf | leaf | interior | ... | root | filter
//
// A value too long for a leaf goes to the file at once, as a run of value pages. The header is written last, so a
// truncated file has no magic.
//
// The filter is built for the maximum number of entries, then halved until it suits the actual number: block b of 2n
// becomes part of block b / 2 of n, as both are the upper bits of the same product. Until then it takes 1.3 bytes of
// memory an entry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "table/file_sink.hh"
#include "table/page_builder.hh"
#include "table/table_file.hh"

namespace exopool {

class TableWriter {
 public:
  struct Options {
    std::string path;
    uint64_t table_id = 0;
    uint64_t created_ms = 0;
    uint64_t entries_max = 0;  // for the filter; 0: no filter
    bool durable = true;       // synced at the end
    bool keep_cached = false;  // leave it in the page cache
  };

  // Null with a failure.
  static std::unique_ptr<TableWriter> Create(const Options &options, Failure *failure);
  // Removes the file unless Finish has succeeded.
  ~TableWriter() = default;

  // Adds the entry with the next greater key.
  Failure Add(std::string_view key, std::string_view value);
  Failure AddDeleted(std::string_view key);
  // Writes the rest.
  Failure Finish();

  uint64_t entries() const { return header_.entries; }
  // Of the file so far.
  uint64_t bytes() const { return sink_->position(); }
  const std::string &smallest() const { return smallest_; }
  const std::string &largest() const { return largest_; }

 private:
  struct Level {
    explicit Level(unsigned level) : page(level) {}
    PageBuilder page;
    std::string lower_end;  // of the open page
    uint64_t pages = 0;     // finished
  };

  TableWriter(const Options &options, std::unique_ptr<FileSink> sink);
  Failure AddCell(std::string_view key, exo_value_kind kind, std::string_view payload);
  Failure FinishPage(unsigned level);
  Failure WritePage(unsigned level, uint64_t *offset);
  Failure FinishTree();
  Failure WriteFilter();

  Options options_;
  std::unique_ptr<FileSink> sink_;
  exo_table_header header_{};
  std::vector<Level> levels_;
  std::vector<uint32_t> filter_;
  std::string smallest_, largest_;
};

}  // namespace exopool
