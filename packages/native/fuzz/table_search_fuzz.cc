// SPDX-License-Identifier: Apache-2.0
// One hop over a hostile page: the input is a level, a key and a page.
//
//   byte 0   bytes 1-2   key_len bytes   the rest, zero-filled to a page
//   level    key_len     key             page
//
// Beside the sanitizers' checks, the target checks the guarantees for callers: a found value lies in the page, and an
// answer is one of the statuses. A walker that fetches only parts of the page gives the same answer as one with the
// whole page, so no byte is used before its fetch.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "fuzz_target.hh"
#include "table_search.h"

namespace {

constexpr uint64_t kTableId = 0x1122334455667788;
constexpr uint64_t kOffset = 4 * EXO_PAGE_SIZE;
constexpr size_t kKeyAt = 3;

void Require(bool condition) {
  if (!condition) abort();
}

// Walks one hop, from page memory that is as long as a page, into a chain filled with `poison`.
std::unique_ptr<exo_chain> Step(const uint8_t *key, size_t key_len, const uint8_t *page, unsigned level, int poison) {
  std::unique_ptr<exo_chain> chain(new exo_chain);
  memset(chain.get(), poison, sizeof(*chain));
  chain->key_len = static_cast<__u16>(key_len);
  memcpy(chain->key, key, key_len);
  chain->copied = 0;
  chain->status = static_cast<__u32>(exo_step(chain.get(), reinterpret_cast<__u64>(page), kOffset, kTableId, level));
  return chain;
}

void Append(FuzzInput *bytes, const void *data, size_t length) {
  auto at = static_cast<const uint8_t *>(data);
  bytes->insert(bytes->end(), at, at + length);
}

// The kind of value of the key with this index; those without bytes are tombstones every other time.
__u8 KindOf(size_t index) { return index % 14 == 7 ? EXO_VALUE_TOMBSTONE : EXO_VALUE_INLINE; }

// A valid page with these keys, in order. Interior pages keep the first as minus infinity.
FuzzInput MakePage(const std::vector<std::string> &keys, unsigned level) {
  FuzzInput page(EXO_PAGE_SIZE);
  size_t first = level == 0 ? 0 : 1;
  size_t prefix_len = 0;
  if (first < keys.size()) {
    const std::string &low = keys[first], &high = keys.back();
    while (prefix_len < low.size() && prefix_len < high.size() && low[prefix_len] == high[prefix_len]) prefix_len++;
    memcpy(page.data() + sizeof(exo_page_header) + sizeof(exo_slot) * keys.size(), low.data(), prefix_len);
  }
  exo_page_header header{};
  header.type = level == 0 ? EXO_PAGE_LEAF : EXO_PAGE_INTERIOR;
  header.level = static_cast<__u8>(level);
  header.count = static_cast<__u16>(keys.size());
  header.table_id = kTableId;
  header.offset = kOffset;
  header.prefix_len = static_cast<__u16>(prefix_len);
  memcpy(page.data(), &header, sizeof(header));
  size_t free = EXO_PAGE_SIZE;
  for (size_t i = 0; i < keys.size(); i++) {
    std::string suffix = i < first ? "" : keys[i].substr(prefix_len);
    FuzzInput cell;
    exo_leaf_cell leaf{static_cast<__u16>(i % 7), KindOf(i), 0};
    exo_interior_cell interior{i * EXO_PAGE_SIZE};
    if (level == 0)
      Append(&cell, &leaf, sizeof(leaf));
    else
      Append(&cell, &interior, sizeof(interior));
    Append(&cell, suffix.data(), suffix.size());
    if (level == 0) cell.resize(cell.size() + leaf.value_len, static_cast<uint8_t>(i));
    free -= cell.size();
    memcpy(page.data() + free, cell.data(), cell.size());
    exo_slot slot{0, static_cast<__u16>(free), static_cast<__u16>(suffix.size())};
    for (size_t b = 0; b < EXO_SLOT_HEAD_BYTES; b++)
      slot.head = slot.head << 8 | (b < suffix.size() ? static_cast<uint8_t>(suffix[b]) : 0);
    memcpy(page.data() + sizeof(header) + sizeof(slot) * i, &slot, sizeof(slot));
  }
  return page;
}

std::vector<std::string> RandomKeys(std::mt19937_64 &random) {
  std::string prefix(random() % 40, 'p');
  // Long keys in few slots, or short ones in more slots than the head of a page holds.
  size_t count = 1 + (random() % 2 == 0 ? random() % 20 : random() % 160);
  size_t suffix_max = count > 20 ? 5 : 100;
  std::set<std::string> keys;
  for (size_t i = 0; i < count; i++) {
    std::string key = prefix;
    for (size_t left = 1 + random() % suffix_max; left > 0; left--) key += static_cast<char>('a' + random() % 3);
    keys.insert(key);
  }
  return {keys.begin(), keys.end()};
}

// The valid page must answer as the list of its keys does.
void CheckAgainstModel(const std::vector<std::string> &keys, const FuzzInput &page, unsigned level,
                       const std::string &key) {
  auto bytes = reinterpret_cast<const uint8_t *>(key.data());
  auto chain = Step(bytes, key.size(), page.data(), level, 0xaa);
  if (level == 0) {
    auto at = std::lower_bound(keys.begin(), keys.end(), key);
    bool is_there = at != keys.end() && *at == key;
    Require(chain->status == (is_there ? EXO_CHAIN_FOUND : EXO_CHAIN_NOT_FOUND));
    size_t index = static_cast<size_t>(at - keys.begin());
    if (is_there) Require(chain->value_len == index % 7 && chain->value_kind == KindOf(index));
    return;
  }
  size_t child = static_cast<size_t>(std::upper_bound(keys.begin() + 1, keys.end(), key) - keys.begin()) - 1;
  Require(chain->status == EXO_CHAIN_GOING && chain->next == child * EXO_PAGE_SIZE);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < kKeyAt) return 0;
  unsigned level = data[0] % EXO_HEIGHT_MAX;
  size_t key_len = std::min<size_t>((data[1] | data[2] << 8) % (EXO_KEY_MAX + 1), size - kKeyAt);
  // On the heap and no longer than a page, so that one byte too far is seen.
  std::unique_ptr<uint8_t[]> page(new uint8_t[EXO_PAGE_SIZE]());
  size_t page_at = kKeyAt + key_len;
  memcpy(page.get(), data + page_at, std::min<size_t>(size - page_at, EXO_PAGE_SIZE));

  auto chain = Step(data + kKeyAt, key_len, page.get(), level, 0xaa);
  auto other = Step(data + kKeyAt, key_len, page.get(), level, 0x55);
  Require(chain->status <= EXO_CHAIN_IO && chain->status == other->status);
  if (chain->status == EXO_CHAIN_GOING) Require(level > 0 && chain->next == other->next);
  if (chain->status != EXO_CHAIN_FOUND) return 0;
  Require(level == 0 && chain->value_at == other->value_at && chain->value_len == other->value_len);
  Require(chain->value_at + chain->value_len <= EXO_PAGE_SIZE);
  Require(chain->value_kind == other->value_kind && exo_value_fits(chain->value_kind, chain->value_len));
  Require(memcmp(chain->page + chain->value_at, page.get() + chain->value_at, chain->value_len) == 0);
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds;
  for (uint8_t level : {0, 1, 7}) {
    std::vector<std::string> keys = RandomKeys(random);
    FuzzInput page = MakePage(keys, level);
    for (int i = 0; i < 4; i++) {
      std::string key = keys[random() % keys.size()];
      if (i == 1) key.pop_back();
      if (i == 2) key += 'a';
      if (i == 3) key.back() = static_cast<char>(random());
      CheckAgainstModel(keys, page, level, key);
      FuzzInput input{level, static_cast<uint8_t>(key.size()), static_cast<uint8_t>(key.size() >> 8)};
      Append(&input, key.data(), key.size());
      Append(&input, page.data(), page.size());
      seeds.push_back(std::move(input));
    }
  }
  return seeds;
}
