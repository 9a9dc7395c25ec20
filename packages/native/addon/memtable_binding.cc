// SPDX-License-Identifier: Apache-2.0
// Memtables for JavaScript: src/memtable.ts is the only caller.
#include "memtable_binding.hh"

#include <new>

#include "binding.hh"
#include "entry_batch.hh"

namespace exopool {
namespace {

enum Applied { kApplied = 0, kUnsound = 1, kNoMemory = 2 };

// newMemtable(): handle
Napi::Value NewMemtable(const Napi::CallbackInfo &info) {
  return Napi::External<MemtableHandle>::New(info.Env(), new MemtableHandle(std::make_shared<Memtable>()),
                                             [](Napi::Env, MemtableHandle *handle) { delete handle; });
}

// closeMemtable(handle)
void CloseMemtable(const Napi::CallbackInfo &info) {
  info[0].As<Napi::External<MemtableHandle>>().Data()->reset();
}

// memtableApply(handle, batch, firstSequence): enum Applied. Without memory the first writes may have been done.
Napi::Value MemtableApply(const Napi::CallbackInfo &info) {
  Memtable &memtable = *MemtableOf(info[0]);
  auto bytes = info[1].As<Napi::Uint8Array>();
  auto sequence = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  Applied applied = kUnsound;
  if (EntryBatch::IsSound(bytes.Data(), bytes.ByteLength())) {
    EntryBatch batch(bytes.Data(), bytes.ByteLength());
    applied = kApplied;
    try {
      for (BatchEntry entry; batch.Next(&entry); sequence++) {
        if (entry.deleted)
          memtable.Delete(entry.key, sequence);
        else
          memtable.Put(entry.key, entry.value, sequence);
      }
    } catch (const std::bad_alloc &) {
      applied = kNoMemory;
    }
  }
  return Napi::Number::New(info.Env(), applied);
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

// memtableSize(handle): [entries, bytes]
Napi::Value MemtableSize(const Napi::CallbackInfo &info) {
  const Memtable &memtable = *MemtableOf(info[0]);
  Napi::Array size = Napi::Array::New(info.Env(), 2);
  size[0u] = static_cast<double>(memtable.entries());
  size[1u] = static_cast<double>(memtable.bytes());
  return size;
}

// memtableAbsorb(handle, newer): enum Applied
Napi::Value MemtableAbsorb(const Napi::CallbackInfo &info) {
  try {
    MemtableOf(info[0])->Absorb(*MemtableOf(info[1]));
  } catch (const std::bad_alloc &) {
    return Napi::Number::New(info.Env(), kNoMemory);
  }
  return Napi::Number::New(info.Env(), kApplied);
}

}  // namespace

void RegisterMemtable(Napi::Env env, Napi::Object exports) {
  exports.Set("newMemtable", Napi::Function::New(env, NewMemtable, "newMemtable"));
  exports.Set("closeMemtable", Napi::Function::New(env, CloseMemtable, "closeMemtable"));
  exports.Set("memtableApply", Napi::Function::New(env, MemtableApply, "memtableApply"));
  exports.Set("memtableGet", Napi::Function::New(env, MemtableGet, "memtableGet"));
  exports.Set("memtableSize", Napi::Function::New(env, MemtableSize, "memtableSize"));
  exports.Set("memtableAbsorb", Napi::Function::New(env, MemtableAbsorb, "memtableAbsorb"));
}

}  // namespace exopool
