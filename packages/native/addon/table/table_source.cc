// SPDX-License-Identifier: Apache-2.0
#include "table/table_source.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "table_search.h"

namespace exopool {
namespace {

Failure NotInMemory(uint64_t offset) { return {Failure::Kind::kNotInMemory, 0, offset, "is not in memory"}; }

}  // namespace

Failure TableSource::Corrupt(uint64_t offset) const {
  return Failure::Corrupt(offset, "the page contradicts itself or the rest of the table");
}

Failure TableSource::Start() {
  const exo_table_header &header = table_->header();
  End();
  leaves_.clear();
  leaf_ = 0;
  next_pages_ = std::clamp<size_t>(options_.first_pages, 1, options_.pages_max);
  later_pages_ = options_.second_pages;
  if (header.height == 0) return {};
  levels_.clear();
  levels_.resize(header.height - 1);
  root_is_left_ = header.height == 1;
  if (!levels_.empty()) {
    if (Failure failure = EnterInterior(header.height - 1, header.root)) return failure;
  }
  return NextLeaf();
}

Failure TableSource::EnterInterior(unsigned number, uint64_t offset) {
  Level &level = levels_[number - 1];
  if (!exo_page_in_file(offset, table_->header().file_size)) return Corrupt(offset);
  const uint8_t *page = table_->CachedPage(offset);
  if (page == nullptr) {
    if (memory_ != nullptr) return NotInMemory(offset);
    AlignedBytes read = AllocateAligned(EXO_PAGE_SIZE);
    if (read == nullptr) return Failure::Io(ENOMEM, offset);
    if (Failure failure = table_->ReadPage(offset, read.get())) return failure;
    table_->CachePage(offset, read.get());
    level.bytes.assign(read.get(), read.get() + EXO_PAGE_SIZE);
    page = level.bytes.data();
  }
  level.offset = offset;
  unsigned first = 1, end;
  if (!level.page.Open(page, number)) return Corrupt(offset);
  end = level.page.count();
  const KeyBounds &bounds = options_.bounds;
  if (bounds.has_lower && !level.page.FirstAfter(bounds.lower, false, &first)) return Corrupt(offset);
  if (bounds.has_upper && !level.page.FirstAfter(bounds.upper, false, &end)) return Corrupt(offset);
  // Children [first - 1, end): the one that holds the lower bound to the one that holds the upper.
  level.done = end < first;
  level.left = level.done ? 0 : end - first;
  level.child = bounds.reverse ? end - 1 : first - 1;
  return {};
}

void TableSource::Advance(Level *level) const {
  if (level->left == 0) {
    level->done = true;
    return;
  }
  level->left--;
  level->child += options_.bounds.reverse ? -1 : 1;
}

// Fills the levels down to 1, each with a child to visit. False if none is left.
Failure TableSource::Descend(bool *found) {
  size_t at = 0;
  while (at < levels_.size() && levels_[at].done) at++;
  *found = at < levels_.size();
  for (; *found && at > 0; at--) {
    uint64_t child;
    if (!levels_[at].page.Child(levels_[at].child, &child)) return Corrupt(levels_[at].offset);
    Advance(&levels_[at]);
    if (Failure failure = EnterInterior(static_cast<unsigned>(at), child)) return failure;
    if (levels_[at - 1].done) return Descend(found);
  }
  return {};
}

// Reads the next leaves that lie side by side. None at the end.
Failure TableSource::ReadRun() {
  const exo_table_header &header = table_->header();
  KeepRun();
  leaves_.clear();
  leaf_ = 0;
  if (levels_.empty()) {
    if (root_is_left_) leaves_.push_back(header.root);
    root_is_left_ = false;
  } else {
    bool found;
    if (Failure failure = Descend(&found)) return failure;
    if (!found) return {};
    Level &level = levels_[0];
    uint64_t step = options_.bounds.reverse ? uint64_t{0} - EXO_PAGE_SIZE : EXO_PAGE_SIZE;
    // The leaf is in memory or not: a longer read gains nothing.
    size_t pages = memory_ != nullptr ? 1 : next_pages_;
    while (!level.done && leaves_.size() < pages) {
      uint64_t child;
      if (!level.page.Child(level.child, &child)) return Corrupt(level.offset);
      if (!exo_page_in_file(child, header.file_size)) return Corrupt(level.offset);
      if (!leaves_.empty() && child != leaves_.back() + step) break;
      leaves_.push_back(child);
      Advance(&level);
    }
    PlanRead();
  }
  return leaves_.empty() ? Failure() : ReadLeaves();
}

// First finishes a read that ended with its neighbours.
void TableSource::PlanRead() {
  if (memory_ != nullptr || next_pages_ == options_.pages_max) return;
  next_pages_ -= leaves_.size();
  if (next_pages_ > 0) return;
  next_pages_ = std::min(later_pages_, options_.pages_max);
  later_pages_ = next_pages_ * 2;
}

Failure TableSource::ReadLeaves() {
  if (leaves_.size() > run_capacity_) {
    run_capacity_ = leaves_.size();
    run_ = AllocateAligned(run_capacity_ * EXO_PAGE_SIZE);
    if (run_ == nullptr) {
      run_capacity_ = 0;
      return Failure::Io(ENOMEM, leaves_[0]);
    }
  }
  run_start_ = std::min(leaves_.front(), leaves_.back());
  if (memory_ == nullptr) return table_->Read(run_start_, leaves_.size() * EXO_PAGE_SIZE, run_.get());
  for (uint64_t offset : leaves_) {
    const uint8_t *leaf = memory_->Leaf(table_->header().table_id, offset);
    if (leaf == nullptr) return NotInMemory(offset);
    memcpy(run_.get() + (offset - run_start_), leaf, EXO_PAGE_SIZE);
  }
  return {};
}

// Copies entries that another read would overwrite.
void TableSource::KeepRun() {
  if (memory_ != nullptr) return;
  for (size_t i = 0; i < leaf_ && kept_left_ > 0; i++, kept_left_--) {
    const uint8_t *page = run_.get() + (leaves_[i] - run_start_);
    kept_offsets_.push_back(leaves_[i]);
    kept_.insert(kept_.end(), page, page + EXO_PAGE_SIZE);
  }
}

void TableSource::GiveLeaves(LeafCache *memory) {
  uint64_t id = table_->header().table_id;
  for (size_t i = 0; i < kept_offsets_.size(); i++)
    memory->KeepLeaf(id, kept_offsets_[i], kept_.data() + i * EXO_PAGE_SIZE);
  for (size_t i = 0; i < leaf_ && kept_left_ > 0; i++)
    memory->KeepLeaf(id, leaves_[i], run_.get() + (leaves_[i] - run_start_));
  kept_left_ = 0;
  kept_offsets_ = {};
  kept_ = {};
}

Failure TableSource::NextLeaf() {
  for (;;) {
    if (leaf_ == leaves_.size()) {
      if (Failure failure = ReadRun()) return failure;
      if (leaves_.empty()) {
        End();
        return {};
      }
    }
    bool has_entries;
    if (Failure failure = EnterLeaf(&has_entries)) return failure;
    if (has_entries) return Settle();
  }
}

Failure TableSource::EnterLeaf(bool *has_entries) {
  uint64_t offset = leaves_[leaf_++];
  const uint8_t *page = run_.get() + (offset - run_start_);
  if (Failure failure = table_->CheckPage(offset, page)) return failure;
  if (!page_.Open(page, 0)) return Corrupt(offset);
  const KeyBounds &bounds = options_.bounds;
  unsigned from = 0, to = page_.count();
  if (bounds.has_lower && !page_.FirstAfter(bounds.lower, bounds.lower_inclusive, &from)) return Corrupt(offset);
  if (bounds.has_upper && !page_.FirstAfter(bounds.upper, !bounds.upper_inclusive, &to)) return Corrupt(offset);
  *has_entries = from < to;
  if (!*has_entries) return {};
  slot_ = bounds.reverse ? to - 1 : from;
  slots_left_ = to - from - 1;
  key_.assign(page_.prefix());
  return {};
}

Failure TableSource::Settle() {
  std::string_view suffix;
  if (!page_.Suffix(slot_, &suffix) || !page_.ValueOf(slot_, &value_)) return Corrupt(leaves_[leaf_ - 1]);
  key_.resize(page_.prefix().size());
  key_.append(suffix);
  StandOn(key_, value_.kind == EXO_VALUE_TOMBSTONE);
  return {};
}

Failure TableSource::Next() {
  if (slots_left_ == 0) return NextLeaf();
  slots_left_--;
  slot_ += options_.bounds.reverse ? -1 : 1;
  return Settle();
}

Failure TableSource::Value(std::string_view *value) {
  if (value_.kind == EXO_VALUE_OUTLINE) {
    if (memory_ != nullptr) return NotInMemory(value_.reference.offset);
    if (Failure failure = table_->ReadValue(value_.reference, &outline_)) return failure;
    *value = {reinterpret_cast<const char *>(outline_.data()), outline_.size()};
  } else {
    *value = value_.bytes;
  }
  return {};
}

}  // namespace exopool
