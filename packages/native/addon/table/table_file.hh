// SPDX-License-Identifier: Apache-2.0
// One open table file: its header, its descriptors and mapping, and the state of its pages.
//
// Pages are checked once. One bit per page says that its checksum was right when it was first read. The engine that
// copies parts of pages out of the mapping cannot compute a checksum. So it relies on these bits, and the pages of a
// walk are checked before its result counts. Files are immutable, so a bit is never cleared. Verification of the whole
// store finds bytes that rot after that check.
//
// Interior pages are few (about one in a hundred) and every lookup needs them. They are kept in memory from the first
// read, up to a budget, and never evicted. The root and the upper levels are read first, so they are in the budget. The
// filter is in memory as a whole or not at all.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_bytes.hh"
#include "base/file_descriptor.hh"
#include "table/engine.hh"
#include "table/failure.hh"
#include "table_filter.h"
#include "table_format.h"

namespace exopool {

// Memory for pages that most lookups need, shared by the tables of a store: interior pages, kept from the first read,
// and filters, loaded at open. Interior pages are worth more, so filters get the memory that those of all tables leave.
struct PinnedMemory {
  explicit PinnedMemory(uint64_t bytes) : bytes_max(bytes) {}
  const uint64_t bytes_max;
  std::atomic<uint64_t> interior_bytes{0}, filter_bytes{0};

  uint64_t bytes() const { return interior_bytes + filter_bytes; }
};

// Counters of an engine on one table. Several threads write them, so each is atomic; a reader gets no consistent
// snapshot.
struct LookupCounters {
  std::atomic<uint64_t> lookups{0}, found{0}, not_found{0}, hops{0}, pages_verified{0}, bytes_read{0};
  std::atomic<uint64_t> on_caller{0};  // lookups that ran on the calling thread
  // Chains that ended without an answer, by reason.
  std::atomic<uint64_t> bound{0}, corrupt{0}, io{0}, stale{0}, straddle{0};
};

// An engine's state for one table. The table owns it, and destroys it before it closes the file.
class TableAttachment {
 public:
  virtual ~TableAttachment() = default;
};

class TableFile : public std::enable_shared_from_this<TableFile> {
 public:
  // Recently read leaves that are remembered: few, so that random reads of a large table hardly hit any.
  static constexpr size_t kRecentLeaves = 1024;

  struct Options {
    bool direct = false;         // O_DIRECT for the user-level engines, if the file system supports it
    bool cache_interior = true;  // keep interior pages in memory
  };

  // Null with a failure when the file cannot be opened or is not a whole table.
  static std::shared_ptr<TableFile> Open(const std::string &path, const Options &options, Failure *failure);
  ~TableFile();
  TableFile(const TableFile &) = delete;
  TableFile &operator=(const TableFile &) = delete;

  const std::string &path() const { return path_; }
  const exo_table_header &header() const { return header_; }
  bool direct() const { return direct_fd_.is_open(); }
  const uint8_t *mapping() const { return mapping_; }
  LookupCounters &counters(Engine engine) { return counters_[static_cast<size_t>(engine)]; }

  // The source of bytes: the page cache, or the disk if direct I/O is configured.
  enum class From { kConfigured, kPageCache };

  // Reads [offset, offset + length) into memory aligned for direct I/O; both are multiples of the page size.
  Failure Read(uint64_t offset, size_t length, uint8_t *into, From from = From::kConfigured) const;
  // Checks the checksum, table and place of a page that was read from an offset within the file.
  Failure CheckPage(uint64_t offset, const uint8_t *page);
  Failure ReadPage(uint64_t offset, uint8_t *into, From from = From::kConfigured);  // and checks it

  // A value that is stored outside its leaf: the bytes to read from reference.offset, whole pages.
  Failure LocateValue(const exo_value_ref &reference, size_t *run_bytes) const;
  Failure CheckValue(const exo_value_ref &reference, const uint8_t *run) const;
  Failure ReadValue(const exo_value_ref &reference, std::vector<uint8_t> *value) const;

  // The descriptor that Read uses.
  int read_fd() const { return direct() ? direct_fd_.get() : fd_.get(); }

  // Each engine reads and sets its own from one thread at a time. Null unless set.
  TableAttachment *attachment(Engine engine) const { return attachments_[static_cast<size_t>(engine)].get(); }
  void Attach(Engine engine, std::unique_ptr<TableAttachment> attachment) {
    attachments_[static_cast<size_t>(engine)] = std::move(attachment);
  }

  bool IsVerified(uint64_t offset) const;
  // A cached interior page, or null. Cached pages stay until the table is closed.
  const uint8_t *CachedPage(uint64_t offset) const;
  // Keeps a copy of a checked page, if it is an interior page and within the budget.
  void CachePage(uint64_t offset, const uint8_t *page);

  // Before the first lookup: the memory to keep interior pages in, in place of the table's own.
  void SharePinned(std::shared_ptr<PinnedMemory> pinned);
  // Reads the filter into memory, if there is one and it takes at most `bytes_max`.
  Failure LoadFilter(uint64_t bytes_max);
  uint64_t filter_bytes() const { return uint64_t{header_.filter_blocks} * EXO_FILTER_BLOCK_BYTES; }
  bool has_filter() const { return filter_ != nullptr; }
  // False: the key with this hash is not in the table.
  bool MayHold(uint64_t hash) const {
    if (filter_ == nullptr) return true;
    const uint32_t *blocks = reinterpret_cast<const uint32_t *>(filter_.get());
    return exo_filter_may_hold(blocks + exo_filter_block(hash, header_.filter_blocks) * EXO_FILTER_BLOCK_WORDS, hash);
  }

  // Whether the leaf at `offset` was probably read recently; remembers it.
  bool ReadLately(uint64_t offset);

  // Share of the file's pages in the page cache, from `samples` pages evenly over the file. Negative: errno.
  double ResidentShare(uint32_t samples) const;

 private:
  TableFile() = default;
  Failure OpenFiles(const std::string &path, const Options &options);
  Failure ReadHeader(uint64_t file_size);
  Failure PreparePages(bool cache_interior);
  Failure CheckPageBytes(uint64_t offset, const uint8_t *page) const;
  Failure ReadFilter(uint8_t *blocks) const;

  FileDescriptor fd_, direct_fd_;
  std::array<std::unique_ptr<TableAttachment>, kEngines> attachments_;
  exo_table_header header_{};
  uint8_t *mapping_ = nullptr;
  std::unique_ptr<uint64_t[], FreeDeleter> verified_;         // a bit a page
  std::unique_ptr<uint8_t *[], FreeDeleter> interior_pages_;  // a pointer a page; null unless cached
  uint64_t interior_bytes() const { return interior_count_ * EXO_PAGE_SIZE; }

  std::string path_;
  std::shared_ptr<PinnedMemory> pinned_;
  std::atomic<uint64_t> interior_count_{0};
  AlignedBytes filter_;
  std::array<std::atomic<uint32_t>, kRecentLeaves> recent_leaves_{};
  std::array<LookupCounters, kEngines> counters_;
};

}  // namespace exopool
