// SPDX-License-Identifier: Apache-2.0
// A batch of writes as a damaged log may have it: the input is the batch.
//
// All entries lie within the input and the limits of the format. They go into a memtable, which then agrees with a map
// on every key, in both directions, also in a view of the past.
#include <cstdlib>
#include <map>
#include <string>

#include "base/arena.cc"
#include "fuzz_target.hh"
#include "store/entry_batch.cc"
#include "store/memtable.cc"

namespace {

using exopool::BatchEntry;
using exopool::EntryBatch;
using exopool::Memtable;

void Require(bool condition) {
  if (!condition) abort();
}

using Model = std::map<std::string, std::pair<bool, std::string>>;

void CompareWithModel(const Memtable &memtable, uint64_t view, const Model &model) {
  Memtable::Cursor cursor(&memtable, view);
  cursor.SeekFirst();
  for (const auto &[key, written] : model) {
    Require(cursor.valid() && cursor.key() == key && cursor.deleted() == written.first);
    Require(cursor.value() == written.second);
    std::string_view value;
    auto found = memtable.Get(key, view, &value);
    Require(found == (written.first ? Memtable::Found::kDeleted : Memtable::Found::kValue));
    cursor.Next();
  }
  Require(!cursor.valid());
  cursor.SeekLast();
  for (auto at = model.rbegin(); at != model.rend(); ++at, cursor.Previous())
    Require(cursor.valid() && cursor.key() == at->first);
  Require(!cursor.valid());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // On the heap and no longer, so that one byte too far is seen.
  std::vector<uint8_t> bytes(data, data + size);
  EntryBatch batch(bytes.data(), size);
  Memtable memtable;
  Model model, middle;
  uint64_t sequence = 0, middle_at = 0;
  for (BatchEntry entry; batch.Next(&entry);) {
    Require(!entry.key.empty() && entry.key.size() <= EXO_KEY_MAX && entry.value.size() <= size);
    Require(!entry.deleted || entry.value.empty());
    ++sequence;
    model[std::string(entry.key)] = {entry.deleted, std::string(entry.value)};
    if (sequence == 5) {
      middle = model;
      middle_at = sequence;
    }
  }
  Require(batch.at_end() == EntryBatch::IsSound(bytes.data(), size));
  memtable.Apply(EntryBatch(bytes.data(), size), 1);
  CompareWithModel(memtable, Memtable::kNewest, model);
  if (middle_at > 0) CompareWithModel(memtable, middle_at, middle);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (int i = 0; i < 8; i++) {
    FuzzInput seed;
    for (size_t left = random() % 30; left > 0; left--) {
      bool deleted = random() % 4 == 0;
      size_t key = 1 + random() % (random() % 8 == 0 ? 300 : 3), value = deleted ? 0 : random() % 40;
      const uint8_t header[8] = {static_cast<uint8_t>(deleted ? 2 : 0),
                                 0,
                                 static_cast<uint8_t>(key),
                                 static_cast<uint8_t>(key >> 8),
                                 static_cast<uint8_t>(value),
                                 0,
                                 0,
                                 0};
      seed.insert(seed.end(), header, header + sizeof(header));
      for (size_t at = 0; at < key + value; at++) seed.push_back(static_cast<uint8_t>('a' + random() % 3));
    }
    seeds.push_back(std::move(seed));
  }
  return seeds;
}
