// SPDX-License-Identifier: Apache-2.0
// A page of the tree as a scan parses it: the input is a level, bytes of a key, and a page.
//
//   byte 0   bytes 1-8   the rest, zero-filled to a page
//   level    key         page
//
// Whatever a page holds, reads stay within it. The seeds are pages of the builder, and return their entries.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "fuzz_target.hh"
#include "table/page_builder.cc"
#include "table/table_page.cc"

namespace exopool {

// Checksums are not checked here.
uint32_t Crc32c(const void *, size_t, uint32_t) { return 0; }

}  // namespace exopool

namespace {

using exopool::PageBuilder;
using exopool::TablePage;

constexpr size_t kKeyBytes = 8;

void Require(bool condition) {
  if (!condition) abort();
}

void RequireInPage(const uint8_t *page, std::string_view bytes) {
  auto start = reinterpret_cast<const uint8_t *>(bytes.data());
  if (!bytes.empty()) Require(start >= page && start + bytes.size() <= page + EXO_PAGE_SIZE);
  unsigned sum = 0;
  for (char byte : bytes) sum += static_cast<unsigned char>(byte);
  Require(sum <= 255 * EXO_PAGE_SIZE);
}

std::vector<std::string> RandomKeys(std::mt19937_64 &random) {
  std::set<std::string> keys;
  std::string prefix(random() % 30, 'p');
  for (size_t left = 1 + random() % 60; left > 0; left--) {
    std::string key = prefix;
    for (size_t at = 1 + random() % 6; at > 0; at--) key += static_cast<char>('a' + random() % 3);
    keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

void CheckLeaf(const std::vector<std::string> &keys, const uint8_t *bytes) {
  TablePage page;
  Require(page.Open(bytes, 0) && page.count() == keys.size());
  for (unsigned slot = 0; slot < page.count(); slot++) {
    std::string_view suffix;
    TablePage::Value value;
    unsigned at, after;
    Require(page.Suffix(slot, &suffix) && std::string(page.prefix()).append(suffix) == keys[slot]);
    Require(page.ValueOf(slot, &value) && value.kind == EXO_VALUE_INLINE && value.bytes == keys[slot]);
    Require(page.FirstAfter(keys[slot], true, &at) && at == slot);
    Require(page.FirstAfter(keys[slot], false, &after) && after == slot + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 + kKeyBytes) return 0;
  unsigned level = data[0] % EXO_HEIGHT_MAX;
  std::string key(reinterpret_cast<const char *>(data + 1), kKeyBytes);
  key.resize(strnlen(key.data(), key.size()));
  std::unique_ptr<uint8_t[]> bytes(new uint8_t[EXO_PAGE_SIZE]());
  memcpy(bytes.get(), data + 1 + kKeyBytes, std::min<size_t>(size - 1 - kKeyBytes, EXO_PAGE_SIZE));
  TablePage page;
  if (!page.Open(bytes.get(), level)) return 0;
  Require(page.count() > 0 && page.count() <= EXO_SLOTS_MAX && page.prefix().size() <= EXO_KEY_MAX);
  RequireInPage(bytes.get(), page.prefix());
  for (unsigned slot = 0; slot <= page.count(); slot++) {
    std::string_view suffix;
    TablePage::Value value{};
    uint64_t child;
    if (page.Suffix(slot, &suffix)) {
      RequireInPage(bytes.get(), suffix);
      Require(slot < page.count() && suffix.size() + page.prefix().size() <= EXO_KEY_MAX);
    }
    if (level > 0) page.Child(slot, &child);
    if (level == 0 && page.ValueOf(slot, &value)) RequireInPage(bytes.get(), value.bytes);
  }
  for (bool or_equal : {false, true}) {
    unsigned slot;
    if (page.FirstAfter(key, or_equal, &slot)) Require(slot <= page.count() && (level == 0 || slot > 0));
  }
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (uint8_t level : {0, 0, 1, 7}) {
    std::vector<std::string> keys = RandomKeys(random);
    PageBuilder builder(level);
    uint64_t child = 0;
    for (const std::string &key : keys) {
      Require(builder.Fits(key, level == 0 ? key.size() : 0));
      if (level == 0)
        builder.AddEntry(key, EXO_VALUE_INLINE, key);
      else
        builder.AddChild(key, child += EXO_PAGE_SIZE);
    }
    FuzzInput seed(1 + kKeyBytes + EXO_PAGE_SIZE);
    seed[0] = level;
    memcpy(&seed[1], keys[0].data(), std::min(keys[0].size(), kKeyBytes));
    builder.Build(&seed[1 + kKeyBytes], 7, EXO_PAGE_SIZE);
    if (level == 0) CheckLeaf(keys, &seed[1 + kKeyBytes]);
    seeds.push_back(std::move(seed));
  }
  return seeds;
}
