// SPDX-License-Identifier: Apache-2.0
#include "table/table_writer.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/crc32c.hh"
#include "table_filter.h"

namespace exopool {
namespace {

constexpr size_t kHeaderCovered = 16;  // the first byte that the header page's checksum covers
constexpr size_t kPageCovered = 4;     // and that of the other pages
// Larger filters have a multiple of this many blocks, so that they can be halved a few times.
constexpr uint64_t kFilterGrain = 32;

uint64_t FilterBlocks(uint64_t entries) { return (entries + EXO_FILTER_BLOCK_KEYS - 1) / EXO_FILTER_BLOCK_KEYS; }

}  // namespace

TableWriter::TableWriter(const Options &options, std::unique_ptr<FileSink> sink)
    : options_(options), sink_(std::move(sink)) {
  levels_.emplace_back(0);
  uint64_t blocks = FilterBlocks(options.entries_max);
  if (blocks > kFilterGrain) blocks = (blocks + kFilterGrain - 1) / kFilterGrain * kFilterGrain;
  // The format counts blocks in 32 bits: more entries than a file can have.
  filter_.resize(std::min<uint64_t>(blocks, UINT32_MAX) * EXO_FILTER_BLOCK_WORDS);
}

std::unique_ptr<TableWriter> TableWriter::Create(const Options &options, Failure *failure) {
  auto sink = FileSink::Create(options.path, EXO_PAGE_SIZE, options.keep_cached, failure);
  if (sink == nullptr) return nullptr;
  return std::unique_ptr<TableWriter>(new TableWriter(options, std::move(sink)));
}

Failure TableWriter::Add(std::string_view key, std::string_view value) {
  if (value.size() <= EXO_INLINE_VALUE_MAX) return AddCell(key, EXO_VALUE_INLINE, value);
  exo_value_ref reference{sink_->position(), static_cast<__u32>(value.size()), Crc32c(value.data(), value.size())};
  if (Failure failure = sink_->Pages(value)) return failure;
  header_.value_pages += (value.size() + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
  return AddCell(key, EXO_VALUE_OUTLINE, {reinterpret_cast<const char *>(&reference), sizeof(reference)});
}

Failure TableWriter::AddDeleted(std::string_view key) { return AddCell(key, EXO_VALUE_TOMBSTONE, {}); }

Failure TableWriter::AddCell(std::string_view key, exo_value_kind kind, std::string_view payload) {
  if (levels_[0].page.count() > 0 && !levels_[0].page.Fits(key, payload.size())) {
    if (Failure failure = FinishPage(0)) return failure;
    levels_[0].lower_end = ShortestSeparator(largest_, key);
  }
  levels_[0].page.AddEntry(key, kind, payload);
  if (header_.entries++ == 0) smallest_ = key;
  largest_ = key;
  if (!filter_.empty()) {
    auto blocks = static_cast<uint32_t>(filter_.size() / EXO_FILTER_BLOCK_WORDS);
    uint64_t hash = exo_key_hash(reinterpret_cast<const uint8_t *>(key.data()), key.size());
    exo_filter_add(&filter_[exo_filter_block(hash, blocks) * EXO_FILTER_BLOCK_WORDS], hash);
  }
  return {};
}

// Writes the open page of a level and tells the level above.
Failure TableWriter::FinishPage(unsigned level) {
  uint64_t offset;
  if (Failure failure = WritePage(level, &offset)) return failure;
  unsigned parent = level + 1;
  if (parent >= EXO_HEIGHT_MAX) return Failure::Io(EFBIG, offset);
  if (parent == levels_.size()) levels_.emplace_back(parent);
  const std::string separator = levels_[level].lower_end;
  if (!levels_[parent].page.Fits(separator, 0)) {
    if (Failure failure = FinishPage(parent)) return failure;
  }
  if (levels_[parent].page.count() == 0) levels_[parent].lower_end = separator;
  levels_[parent].page.AddChild(separator, offset);
  return {};
}

Failure TableWriter::WritePage(unsigned level, uint64_t *offset) {
  uint8_t *page;
  *offset = sink_->position();
  if (Failure failure = sink_->Page(&page)) return failure;
  levels_[level].page.Build(page, options_.table_id, *offset);
  levels_[level].pages++;
  (level == 0 ? header_.leaf_pages : header_.interior_pages)++;
  return {};
}

// Finishes the open page of every level; the first level with a single page is the root's.
Failure TableWriter::FinishTree() {
  if (header_.entries == 0) return {};
  unsigned level = 0;
  for (; levels_[level].pages > 0; level++) {
    if (Failure failure = FinishPage(level)) return failure;
  }
  uint64_t root;
  if (Failure failure = WritePage(level, &root)) return failure;
  header_.root = root;
  header_.height = level + 1;
  return {};
}

Failure TableWriter::WriteFilter() {
  uint64_t blocks = filter_.size() / EXO_FILTER_BLOCK_WORDS;
  if (header_.entries == 0) blocks = 0;
  uint64_t needed = FilterBlocks(header_.entries);
  for (; blocks % 2 == 0 && blocks / 2 >= std::max<uint64_t>(needed, 1); blocks /= 2) {
    for (uint64_t i = 0; i < blocks / 2 * EXO_FILTER_BLOCK_WORDS; i++) {
      uint64_t at = i / EXO_FILTER_BLOCK_WORDS * 2 * EXO_FILTER_BLOCK_WORDS + i % EXO_FILTER_BLOCK_WORDS;
      filter_[i] = filter_[at] | filter_[at + EXO_FILTER_BLOCK_WORDS];
    }
  }
  if (blocks == 0) return {};
  header_.filter = sink_->position();
  header_.filter_blocks = static_cast<__u32>(blocks);
  for (uint64_t block = 0; block < blocks; block += EXO_FILTER_PAGE_BLOCKS, header_.filter_pages++) {
    uint64_t count = std::min<uint64_t>(EXO_FILTER_PAGE_BLOCKS, blocks - block);
    exo_page_header header{};
    header.type = EXO_PAGE_FILTER;
    header.count = static_cast<__u16>(count);
    header.table_id = options_.table_id;
    header.offset = sink_->position();
    uint8_t *page;
    if (Failure failure = sink_->Page(&page)) return failure;
    memcpy(page, &header, sizeof(header));
    memcpy(page + sizeof(header), &filter_[block * EXO_FILTER_BLOCK_WORDS], count * EXO_FILTER_BLOCK_BYTES);
    header.checksum = Crc32c(page + kPageCovered, EXO_PAGE_SIZE - kPageCovered);
    memcpy(page, &header, sizeof(header));
  }
  return {};
}

Failure TableWriter::Finish() {
  if (Failure failure = FinishTree()) return failure;
  if (Failure failure = WriteFilter()) return failure;
  header_.file_size = sink_->position();
  if (Failure failure = sink_->Flush()) return failure;
  memcpy(header_.magic, EXO_TABLE_MAGIC, sizeof(header_.magic));
  header_.version = EXO_TABLE_VERSION;
  header_.table_id = options_.table_id;
  header_.created_ms = options_.created_ms;
  AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
  if (page == nullptr) return Failure::Io(ENOMEM, 0);
  memset(page.get(), 0, EXO_PAGE_SIZE);
  memcpy(page.get(), &header_, sizeof(header_));
  header_.checksum = Crc32c(page.get() + kHeaderCovered, EXO_PAGE_SIZE - kHeaderCovered);
  memcpy(page.get(), &header_, sizeof(header_));
  if (Failure failure = sink_->WriteAt(0, page.get(), EXO_PAGE_SIZE)) return failure;
  if (options_.durable) {
    if (Failure failure = sink_->Sync()) return failure;
  }
  sink_->Keep();
  return {};
}

}  // namespace exopool
