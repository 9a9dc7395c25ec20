// SPDX-License-Identifier: Apache-2.0
// Writes a table of a chosen height: pages with few slots, so that a small file has long chains.
#pragma once

#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/crc32c.hh"
#include "table_format.h"

namespace exopool {

class DeepTable {
 public:
  static constexpr unsigned kFanOut = 3;
  static constexpr uint64_t kTableId = 0x1122334455667788;

  // Eight bytes whose first three tell keys apart, as a slot's do in most tables.
  static std::string KeyOf(uint64_t i) {
    uint64_t big_endian = __builtin_bswap64(i << 40);
    return Bytes(&big_endian, sizeof(big_endian));
  }

  // Writes kFanOut ^ height entries; the value of entry i is i. False when the file cannot be written.
  bool Write(int fd, unsigned height) {
    uint64_t count = 1;
    for (unsigned level = 0; level < height; level++) count *= kFanOut;
    std::vector<Cell> cells;
    for (uint64_t i = 0; i < count; i++) {
      exo_leaf_cell head{sizeof(i), EXO_VALUE_INLINE, 0};
      cells.push_back({KeyOf(i), Bytes(&head, sizeof(head)), Bytes(&i, sizeof(i))});
    }
    pages_.assign(EXO_PAGE_SIZE, '\0');
    for (unsigned level = 0; level < height; level++) cells = WriteLevel(cells, level);
    WriteHeader(count, height);
    return pwrite(fd, pages_.data(), pages_.size(), 0) == static_cast<ssize_t>(pages_.size());
  }

 private:
  struct Cell {
    std::string key, head, tail;
  };

  static std::string Bytes(const void *from, size_t bytes) {
    return std::string(static_cast<const char *>(from), bytes);
  }

  std::vector<Cell> WriteLevel(const std::vector<Cell> &cells, unsigned level) {
    std::vector<Cell> parents;
    for (size_t first = 0; first < cells.size(); first += kFanOut) {
      uint64_t offset = pages_.size();
      parents.push_back({cells[first].key, Bytes(&offset, sizeof(offset)), ""});
      WritePage(&cells[first], level, offset);
    }
    return parents;
  }

  void WritePage(const Cell *cells, unsigned level, uint64_t offset) {
    std::vector<uint8_t> page(EXO_PAGE_SIZE);
    exo_page_header header{};
    header.type = level == 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR;
    header.level = static_cast<uint8_t>(level);
    header.count = kFanOut;
    header.table_id = kTableId;
    header.offset = offset;
    size_t free = EXO_PAGE_SIZE;
    for (unsigned i = 0; i < kFanOut; i++) {
      // The first key of an interior page stands for minus infinity.
      std::string suffix = level > 0 && i == 0 ? "" : cells[i].key;
      std::string cell = cells[i].head + suffix + cells[i].tail;
      free -= cell.size();
      memcpy(&page[free], cell.data(), cell.size());
      uint8_t first[4] = {};
      memcpy(first, suffix.data(), suffix.size() < 4 ? suffix.size() : 4);
      exo_slot slot{};
      slot.head = uint32_t{first[0]} << 24 | uint32_t{first[1]} << 16 | uint32_t{first[2]} << 8 | first[3];
      slot.cell = static_cast<uint16_t>(free);
      slot.suffix_len = static_cast<uint16_t>(suffix.size());
      memcpy(&page[sizeof(header) + i * sizeof(slot)], &slot, sizeof(slot));
    }
    memcpy(page.data(), &header, sizeof(header));
    header.checksum = Crc32c(page.data() + 4, EXO_PAGE_SIZE - 4);
    memcpy(page.data(), &header, sizeof(header));
    pages_.append(reinterpret_cast<char *>(page.data()), page.size());
  }

  void WriteHeader(uint64_t entries, unsigned height) {
    exo_table_header header{};
    memcpy(header.magic, EXO_TABLE_MAGIC, sizeof(header.magic));
    header.version = EXO_TABLE_VERSION;
    header.table_id = kTableId;
    header.root = pages_.size() - EXO_PAGE_SIZE;
    header.height = height;
    header.entries = entries;
    header.file_size = pages_.size();
    header.leaf_pages = entries / kFanOut;
    header.interior_pages = pages_.size() / EXO_PAGE_SIZE - 1 - header.leaf_pages;
    memcpy(pages_.data(), &header, sizeof(header));
    header.checksum = Crc32c(reinterpret_cast<uint8_t *>(pages_.data()) + 16, EXO_PAGE_SIZE - 16);
    memcpy(pages_.data(), &header, sizeof(header));
  }

  std::string pages_;
};

}  // namespace exopool
