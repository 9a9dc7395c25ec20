// SPDX-License-Identifier: Apache-2.0
#include "store/entry_batch.hh"

#include <cstring>

#include "table_format.h"

namespace exopool {

bool EntryBatch::Next(BatchEntry *entry) {
  auto left = static_cast<size_t>(end_ - at_);
  if (left < kHeaderBytes) return false;
  uint16_t key_length;
  uint32_t value_length;
  memcpy(&key_length, at_ + 2, sizeof(key_length));
  memcpy(&value_length, at_ + 4, sizeof(value_length));
  uint8_t kind = at_[0];
  left -= kHeaderBytes;
  if (key_length == 0 || key_length > EXO_KEY_MAX || value_length > EXO_VALUE_MAX) return false;
  if (key_length > left || value_length > left - key_length) return false;
  if (kind != kPut && (kind != kDelete || value_length != 0)) return false;
  auto key = reinterpret_cast<const char *>(at_ + kHeaderBytes);
  entry->key = {key, key_length};
  entry->value = {key + key_length, value_length};
  entry->deleted = kind == kDelete;
  at_ += kHeaderBytes + key_length + value_length;
  return true;
}

bool EntryBatch::IsSound(const uint8_t *bytes, size_t length) {
  EntryBatch batch(bytes, length);
  for (BatchEntry entry; batch.Next(&entry);) continue;
  return batch.at_end();
}

}  // namespace exopool
