// SPDX-License-Identifier: Apache-2.0
// Memtables for JavaScript: src/table/memtable.ts is the only caller.
#include "door/memtable_binding.hh"

#include <new>

#include "door/binding.hh"
#include "door/crossing.hh"
#include "store/entry_batch.hh"

namespace exopool {
namespace {

constexpr double CodeOf(BatchCode code) { return static_cast<double>(code); }

// newMemtable(): handle
Napi::Value NewMemtable(const Napi::CallbackInfo &info) {
  return Napi::External<MemtableHandle>::New(info.Env(), new MemtableHandle(std::make_shared<Memtable>()),
                                             [](Napi::Env, MemtableHandle *handle) { delete handle; });
}

// closeMemtable(handle)
void CloseMemtable(const Napi::CallbackInfo &info) { info[0].As<Napi::External<MemtableHandle>>().Data()->reset(); }

// memtableApply(handle, batch, firstSequence): bytes in use, or a BatchCode if nothing was applied
Napi::Value MemtableApply(const Napi::CallbackInfo &info) {
  Memtable &memtable = *MemtableOf(info[0]);
  auto bytes = info[1].As<Napi::Uint8Array>();
  auto sequence = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  double result = CodeOf(BatchCode::kUnsound);
  if (EntryBatch::IsSound(bytes.Data(), bytes.ByteLength())) {
    try {
      memtable.Apply(EntryBatch(bytes.Data(), bytes.ByteLength()), sequence);
      result = static_cast<double>(memtable.bytes());
    } catch (const std::bad_alloc &) {
      result = CodeOf(BatchCode::kNoMemory);
    }
  }
  return Napi::Number::New(info.Env(), result);
}

// memtableGet(handle, key, view): Buffer | null (deleted) | undefined (unknown)
Napi::Value MemtableGet(const Napi::CallbackInfo &info) {
  auto key = info[1].As<Napi::Uint8Array>();
  auto view = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  std::string_view value;
  std::string_view name(reinterpret_cast<const char *>(key.Data()), key.ByteLength());
  switch (MemtableOf(info[0])->Get(name, view, &value)) {
    case Memtable::Found::kUnknown:
      return info.Env().Undefined();
    case Memtable::Found::kDeleted:
      return info.Env().Null();
    default:
      return Napi::Buffer<char>::Copy(info.Env(), value.data(), value.size());
  }
}

// batchEntries(batch): how many there are, or BatchCode::kUnsound
Napi::Value BatchEntries(const Napi::CallbackInfo &info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  EntryBatch batch(bytes.Data(), bytes.ByteLength());
  double count = 0;
  for (BatchEntry entry; batch.Next(&entry);) count++;
  return Napi::Number::New(info.Env(), batch.at_end() ? count : CodeOf(BatchCode::kUnsound));
}

// memtableAbsorb(handle, newer): bytes in use, or a BatchCode
Napi::Value MemtableAbsorb(const Napi::CallbackInfo &info) {
  Memtable &memtable = *MemtableOf(info[0]);
  try {
    memtable.Absorb(*MemtableOf(info[1]));
  } catch (const std::bad_alloc &) {
    return Napi::Number::New(info.Env(), CodeOf(BatchCode::kNoMemory));
  }
  return Napi::Number::New(info.Env(), static_cast<double>(memtable.bytes()));
}

}  // namespace

void RegisterMemtable(Napi::Env env, Napi::Object exports) {
  exports.Set("newMemtable", Napi::Function::New(env, NewMemtable, "newMemtable"));
  exports.Set("closeMemtable", Napi::Function::New(env, CloseMemtable, "closeMemtable"));
  exports.Set("memtableApply", Napi::Function::New(env, MemtableApply, "memtableApply"));
  exports.Set("memtableGet", Napi::Function::New(env, MemtableGet, "memtableGet"));
  exports.Set("batchEntries", Napi::Function::New(env, BatchEntries, "batchEntries"));
  exports.Set("memtableAbsorb", Napi::Function::New(env, MemtableAbsorb, "memtableAbsorb"));
}

}  // namespace exopool
