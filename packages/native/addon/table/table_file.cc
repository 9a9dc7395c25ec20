// SPDX-License-Identifier: Apache-2.0
#include "table/table_file.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/crc32c.hh"
#include "table_filter.h"
#include "table_search.h"

namespace exopool {
namespace {

// Interior pages kept for one table: at 100 children a page that is the whole interior of a 6 GiB file.
constexpr uint64_t kInteriorBudgetBytes = 64ull << 20;
// The first version of the format that has filters.
constexpr uint32_t kFilterVersion = 3;
// Pages of a filter that are read at a time.
constexpr uint64_t kFilterReadPages = 64;
// The first byte that the header page's checksum covers, and that of the other pages.
constexpr size_t kHeaderCovered = 16;
constexpr size_t kPageCovered = 4;

uint64_t RoundUpToPages(uint64_t bytes) { return (bytes + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE * EXO_PAGE_SIZE; }

bool FilterIsInFile(const exo_table_header &header) {
  if (header.filter_blocks == 0) return header.filter == 0 && header.filter_pages == 0;
  uint64_t pages = (uint64_t{header.filter_blocks} + EXO_FILTER_PAGE_BLOCKS - 1) / EXO_FILTER_PAGE_BLOCKS;
  return header.filter_pages == pages && exo_page_in_file(header.filter, header.file_size) &&
         pages * EXO_PAGE_SIZE <= header.file_size - header.filter;
}

// Memory that is not allocated until it is touched.
template <typename T>
std::unique_ptr<T[], FreeDeleter> AllocateZeroed(uint64_t count) {
  return std::unique_ptr<T[], FreeDeleter>(static_cast<T *>(calloc(count, sizeof(T))));
}

FileDescriptor OpenReadOnly(const std::string &path, int flags) {
  int fd;
  do {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  } while (fd < 0 && errno == EINTR);
  return FileDescriptor(fd);
}

Failure ReadFully(int fd, uint64_t offset, size_t length, uint8_t *into) {
  size_t done = 0;
  while (done < length) {
    ssize_t got = pread(fd, into + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure::Io(errno, offset + done);
    if (got == 0) return Failure::EndOfFile(offset + done);
    done += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace

std::shared_ptr<TableFile> TableFile::Open(const std::string &path, const Options &options, Failure *failure) {
  std::shared_ptr<TableFile> table(new TableFile());
  table->path_ = path;
  table->pinned_ = std::make_shared<PinnedMemory>(kInteriorBudgetBytes);
  *failure = table->OpenFiles(path, options);
  if (!*failure) *failure = table->PreparePages(options.cache_interior);
  return *failure ? nullptr : table;
}

TableFile::~TableFile() {
  for (std::unique_ptr<TableAttachment> &attachment : attachments_) attachment.reset();
  if (interior_pages_ != nullptr) {
    uint64_t pages = header_.file_size / EXO_PAGE_SIZE;
    pinned_->interior_bytes -= interior_bytes();
    for (uint64_t page = 0, left = interior_count_; page < pages && left > 0; page++) {
      if (interior_pages_[page] == nullptr) continue;
      free(interior_pages_[page]);
      left--;
    }
  }
  if (filter_ != nullptr) pinned_->filter_bytes -= filter_bytes();
  if (mapping_ != nullptr) munmap(mapping_, header_.file_size);
}

Failure TableFile::OpenFiles(const std::string &path, const Options &options) {
  fd_ = OpenReadOnly(path, 0);
  struct stat status;
  if (!fd_.is_open() || fstat(fd_.get(), &status) != 0) return Failure::Io(errno, 0);
  if (!S_ISREG(status.st_mode)) return Failure::Corrupt(0, "is not a regular file");
  if (Failure failure = ReadHeader(static_cast<uint64_t>(status.st_size))) return failure;
  // Lookups are random: read-ahead would only read unused pages.
  posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM);
  if (!options.direct) return {};
  // Some file systems refuse at open, some at the first read.
  direct_fd_ = OpenReadOnly(path, O_DIRECT);
  AlignedBytes probe = AllocateAligned(EXO_PAGE_SIZE);
  if (probe == nullptr || pread(direct_fd_.get(), probe.get(), EXO_PAGE_SIZE, 0) != EXO_PAGE_SIZE) direct_fd_.Close();
  return {};
}

Failure TableFile::ReadHeader(uint64_t file_size) {
  if (file_size < EXO_PAGE_SIZE) return Failure::Corrupt(file_size, "the file ends within its header page");
  std::vector<uint8_t> page(EXO_PAGE_SIZE);
  if (Failure failure = ReadFully(fd_.get(), 0, page.size(), page.data())) return failure;
  memcpy(&header_, page.data(), sizeof(header_));
  if (header_.version < kFilterVersion) header_.filter = header_.filter_pages = header_.filter_blocks = 0;
  const exo_table_header &header = header_;
  if (memcmp(header.magic, EXO_TABLE_MAGIC, sizeof(header.magic)) != 0)
    return Failure::Corrupt(0, "is not an exopool table");
  // Checked before the checksum: a later version may keep that elsewhere.
  if (header.version > EXO_TABLE_VERSION) return {Failure::Kind::kVersion, static_cast<int>(header.version), 0, ""};
  if (header.checksum != Crc32c(page.data() + kHeaderCovered, page.size() - kHeaderCovered))
    return Failure::Corrupt(0, "the header page fails its checksum");
  if (header.file_size > file_size) return Failure::EndOfFile(file_size);
  bool is_empty = header.height == 0;
  if (header.version == 0 || header.file_size != file_size || file_size % EXO_PAGE_SIZE != 0 ||
      header.height > EXO_HEIGHT_MAX || is_empty != (header.entries == 0) ||
      (is_empty ? header.root != 0 : !exo_page_in_file(header.root, file_size)) || !FilterIsInFile(header) ||
      header.entries > file_size / EXO_PAGE_SIZE * EXO_SLOTS_MAX)
    return Failure::Corrupt(0, "the header page contradicts itself or the size of the file");
  return {};
}

Failure TableFile::PreparePages(bool cache_interior) {
  uint64_t pages = header_.file_size / EXO_PAGE_SIZE;
  verified_ = AllocateZeroed<uint64_t>(pages / 64 + 1);
  if (cache_interior) interior_pages_ = AllocateZeroed<uint8_t *>(pages);
  if (verified_ == nullptr || (cache_interior && interior_pages_ == nullptr)) return Failure::Io(ENOMEM, 0);
  void *mapping = mmap(nullptr, header_.file_size, PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (mapping == MAP_FAILED) return Failure::Io(errno, 0);
  mapping_ = static_cast<uint8_t *>(mapping);
  madvise(mapping, header_.file_size, MADV_RANDOM);
  return {};
}

Failure TableFile::Read(uint64_t offset, size_t length, uint8_t *into, From from) const {
  return ReadFully(from == From::kConfigured ? read_fd() : fd_.get(), offset, length, into);
}

Failure TableFile::ReadPage(uint64_t offset, uint8_t *into, From from) {
  Failure failure = Read(offset, EXO_PAGE_SIZE, into, from);
  return failure ? failure : CheckPage(offset, into);
}

Failure TableFile::CheckPage(uint64_t offset, const uint8_t *page) {
  if (Failure failure = CheckPageBytes(offset, page)) return failure;
  uint64_t number = offset / EXO_PAGE_SIZE;
  __atomic_fetch_or(&verified_[number / 64], 1ull << number % 64, __ATOMIC_RELAXED);
  return {};
}

Failure TableFile::CheckPageBytes(uint64_t offset, const uint8_t *page) const {
  exo_page_header header;
  memcpy(&header, page, sizeof(header));
  if (header.checksum != Crc32c(page + kPageCovered, EXO_PAGE_SIZE - kPageCovered))
    return Failure::Corrupt(offset, "the page fails its checksum");
  if (header.table_id != header_.table_id || header.offset != offset)
    return Failure::Corrupt(offset, "the page belongs to another place or another table");
  return {};
}

Failure TableFile::LocateValue(const exo_value_ref &reference, size_t *run_bytes) const {
  *run_bytes = RoundUpToPages(reference.length);
  if (reference.length <= EXO_INLINE_VALUE_MAX || reference.length > EXO_VALUE_MAX ||
      !exo_page_in_file(reference.offset, header_.file_size) || *run_bytes > header_.file_size - reference.offset)
    return Failure::Corrupt(reference.offset, "no value of that length can be there");
  return {};
}

Failure TableFile::CheckValue(const exo_value_ref &reference, const uint8_t *run) const {
  if (Crc32c(run, reference.length) != reference.checksum)
    return Failure::Corrupt(reference.offset, "the value fails its checksum");
  return {};
}

Failure TableFile::ReadValue(const exo_value_ref &reference, std::vector<uint8_t> *value) const {
  size_t run_bytes;
  if (Failure failure = LocateValue(reference, &run_bytes)) return failure;
  AlignedBytes run = AllocateAligned(run_bytes);
  if (run == nullptr) return Failure::Io(ENOMEM, reference.offset);
  if (Failure failure = Read(reference.offset, run_bytes, run.get())) return failure;
  if (Failure failure = CheckValue(reference, run.get())) return failure;
  value->assign(run.get(), run.get() + reference.length);
  return {};
}

bool TableFile::IsVerified(uint64_t offset) const {
  uint64_t number = offset / EXO_PAGE_SIZE;
  return __atomic_load_n(&verified_[number / 64], __ATOMIC_RELAXED) >> number % 64 & 1;
}

const uint8_t *TableFile::CachedPage(uint64_t offset) const {
  if (interior_pages_ == nullptr) return nullptr;
  return __atomic_load_n(&interior_pages_[offset / EXO_PAGE_SIZE], __ATOMIC_ACQUIRE);
}

void TableFile::CachePage(uint64_t offset, const uint8_t *page) {
  if (interior_pages_ == nullptr || exo_page_type(page[offsetof(exo_page_header, type)]) != EXO_PAGE_INTERIOR) return;
  pinned_->interior_bytes += EXO_PAGE_SIZE;
  if (pinned_->bytes() <= pinned_->bytes_max) {
    AlignedBytes copy = AllocateAligned(EXO_PAGE_SIZE);
    uint8_t *empty = nullptr;
    if (copy != nullptr) {
      memcpy(copy.get(), page, EXO_PAGE_SIZE);
      uint8_t **place = &interior_pages_[offset / EXO_PAGE_SIZE];
      if (__atomic_compare_exchange_n(place, &empty, copy.get(), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        copy.release();
        interior_count_++;
        return;
      }
    }
  }
  pinned_->interior_bytes -= EXO_PAGE_SIZE;
}

void TableFile::SharePinned(std::shared_ptr<PinnedMemory> pinned) {
  uint64_t filter = has_filter() ? filter_bytes() : 0;
  pinned_->interior_bytes -= interior_bytes();
  pinned_->filter_bytes -= filter;
  pinned_ = std::move(pinned);
  pinned_->interior_bytes += interior_bytes();
  pinned_->filter_bytes += filter;
}

Failure TableFile::LoadFilter(uint64_t bytes_max) {
  if (header_.filter_blocks == 0 || filter_ != nullptr || filter_bytes() > bytes_max) return {};
  AlignedBytes blocks = AllocateAligned(filter_bytes());
  if (blocks == nullptr) return Failure::Io(ENOMEM, header_.filter);
  if (Failure failure = ReadFilter(blocks.get())) return failure;
  filter_ = std::move(blocks);
  pinned_->filter_bytes += filter_bytes();
  return {};
}

Failure TableFile::ReadFilter(uint8_t *blocks) const {
  AlignedBytes pages = AllocateAligned(kFilterReadPages * EXO_PAGE_SIZE);
  if (pages == nullptr) return Failure::Io(ENOMEM, header_.filter);
  uint64_t left = filter_bytes();
  for (uint64_t page = 0; page < header_.filter_pages; page++) {
    uint64_t offset = header_.filter + page * EXO_PAGE_SIZE;
    uint64_t in_read = page % kFilterReadPages;
    if (in_read == 0) {
      uint64_t count = std::min<uint64_t>(kFilterReadPages, header_.filter_pages - page);
      if (Failure failure = Read(offset, count * EXO_PAGE_SIZE, pages.get())) return failure;
    }
    const uint8_t *at = pages.get() + in_read * EXO_PAGE_SIZE;
    if (Failure failure = CheckPageBytes(offset, at)) return failure;
    uint64_t bytes = std::min<uint64_t>(left, EXO_FILTER_PAGE_BLOCKS * EXO_FILTER_BLOCK_BYTES);
    exo_page_header header;
    memcpy(&header, at, sizeof(header));
    if (header.type != EXO_PAGE_FILTER || header.count * EXO_FILTER_BLOCK_BYTES != bytes)
      return Failure::Corrupt(offset, "the page is none of a filter");
    memcpy(blocks, at + sizeof(header), bytes);
    blocks += bytes;
    left -= bytes;
  }
  return {};
}

bool TableFile::ReadLately(uint64_t offset) {
  uint64_t hash = offset / EXO_PAGE_SIZE * EXO_XXH_1;
  auto page = static_cast<uint32_t>(offset / EXO_PAGE_SIZE);
  return recent_leaves_[hash >> 32 & (kRecentLeaves - 1)].exchange(page, std::memory_order_relaxed) == page;
}

double TableFile::ResidentShare(uint32_t samples) const {
  uint64_t pages = header_.file_size / EXO_PAGE_SIZE;
  uint64_t count = std::min<uint64_t>(samples, pages);
  uint64_t resident = 0;
  for (uint64_t i = 0; i < count; i++) {
    // Multiplied in 128 bits: sample times pages may not fit in 64.
    auto page = static_cast<uint64_t>(static_cast<unsigned __int128>(i) * pages / count);
    unsigned char in_core;
    if (mincore(mapping_ + page * EXO_PAGE_SIZE, EXO_PAGE_SIZE, &in_core) != 0) return -errno;
    resident += in_core & 1;
  }
  return static_cast<double>(resident) / static_cast<double>(count);
}

}  // namespace exopool
