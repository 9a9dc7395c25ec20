// SPDX-License-Identifier: Apache-2.0
// Random operations on a row cache against a map: it may have lost a row, but never returns an old one or another
// key's, and never exceeds its memory.
//
//   byte 0-1        then, again and again: byte 0     byte 1    byte 2
//   budget, pages                          operation  key       size of the value, in 8 B
#include <cstdlib>
#include <string>
#include <unordered_map>

#include "fuzz_target.hh"
#include "store/row_cache.cc"

namespace {

using exopool::RowCache;
using Kind = RowCache::Kind;

constexpr size_t kPage = 4096;
constexpr size_t kOperationBytes = 3;

void Require(bool condition) {
  if (!condition) abort();
}

struct Row {
  Kind kind = Kind::kNone;
  std::string value;
};

class Run {
 public:
  explicit Run(size_t budget_bytes) : limit_(budget_bytes), cache_(budget_bytes) {}

  void Do(uint8_t operation, uint8_t number, uint8_t size) {
    // Of eight keys with the same name, one is long.
    std::string key = "key " + std::to_string(number) + std::string(number % 8 == 0 ? 300 : 0, 'k');
    // A weak hash fills few buckets; the real one is used too.
    uint64_t hash = exo_key_hash(reinterpret_cast<const uint8_t *>(key.data()), key.size());
    if (number % 4 == 1) hash %= 7;
    Row &row = rows_[key];
    switch (operation % 16) {
      default:
        row.kind = size % 5 == 0 ? Kind::kAbsent : Kind::kValue;
        row.value.assign(row.kind == Kind::kAbsent ? 0 : size * 8, static_cast<char>(++version_));
        cache_.Put(key, hash, row.kind, row.value);
        break;
      case 8:
      case 9:
      case 10:
        Check(key, hash, row);
        break;
      case 11:
        row = Row();
        cache_.Erase(key, hash);
        Check(key, hash, row);
        break;
      case 12:
        cache_.PutLeaf(1, number, Leaf(number).data(), kPage);
        break;
      case 13:
        if (const uint8_t *leaf = cache_.GetLeaf(1, number)) Require(memcmp(leaf, Leaf(number).data(), kPage) == 0);
        break;
      case 14:
        limit_ = size * 8 * kPage;
        cache_.SetLimit(limit_);
        break;
      case 15:
        if (size == 0) cache_.Clear();
        break;
    }
    if (cache_.rows() + cache_.leaves() > 0) Require(cache_.bytes() <= limit_);
  }

 private:
  static std::vector<uint8_t> Leaf(uint8_t number) { return std::vector<uint8_t>(kPage, number); }

  void Check(const std::string &key, uint64_t hash, const Row &row) {
    std::string_view value;
    Kind kind = cache_.Get(key, hash, &value);
    Require(kind == Kind::kNone || (kind == row.kind && value == row.value));
  }

  size_t limit_;
  RowCache cache_;
  std::unordered_map<std::string, Row> rows_;
  uint32_t version_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  Run run((data[0] | data[1] << 8) % 2048 * kPage);
  for (size_t at = 2; at + kOperationBytes <= size; at += kOperationBytes) run.Do(data[at], data[at + 1], data[at + 2]);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (unsigned pages : {0, 9, 40, 1200}) {
    FuzzInput input{static_cast<uint8_t>(pages), static_cast<uint8_t>(pages >> 8)};
    for (size_t left = random() % 100 * kOperationBytes; left > 0; left--)
      input.push_back(static_cast<uint8_t>(random()));
    seeds.push_back(std::move(input));
  }
  return seeds;
}
