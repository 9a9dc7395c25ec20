// SPDX-License-Identifier: Apache-2.0
// A store's index for JavaScript: src/table/store-index.ts is the only caller, and has checked the arguments.
//
// Keys cross in memory that the index owns, and values in blocks that JavaScript made: find() allocates nothing, and the
// caller's buffer is a part of the block. Both sides track the place of the next value.
//
// A caller may detach a block, by transferring the memory of a value. So JavaScript looks at the block before each call
// that writes there, and sets another one. Native code writes only during such a call.
//
//   key memory    the key, its length is an argument
//   block         | value | value | value |     room     |     each at a multiple of 8
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "door/binding.hh"
#include "door/crossing.hh"
#include "door/lookup_job.hh"
#include "door/lookup_stream.hh"
#include "store/store_index.hh"

namespace exopool {
namespace {

using TableHandle = std::shared_ptr<TableFile>;
using MemtableHandle = std::shared_ptr<Memtable>;

constexpr int32_t CodeOf(FindCode code) { return static_cast<int32_t>(code); }

constexpr size_t kBlockAlignment = 8;
// A value that takes more of a block than this would leave much of the block unused.
constexpr size_t kLargeShare = 16;

struct Index {
  explicit Index(uint64_t cache_bytes) : store(std::make_shared<StoreIndex>(cache_bytes)) {}

  std::string_view Key(size_t length) const { return {reinterpret_cast<const char *>(key), length}; }

  std::shared_ptr<StoreIndex> store;
  uint8_t key[kIndexKeyBytes] = {};
  uint8_t *block = nullptr;
  size_t block_bytes = 0, block_at = 0;
  std::string_view found;  // by the last find()
  LookupStream *stream = nullptr;
  JobChannel *channel = nullptr;
  // Requested in this turn.
  KeyBatch gathered;
  std::vector<uint32_t> tokens;
  std::vector<uint64_t> epochs;
};

uint64_t HashOf(std::string_view key) {
  return exo_key_hash(reinterpret_cast<const uint8_t *>(key.data()), key.size());
}

Index &IndexOf(const Napi::CallbackInfo &info) { return **static_cast<std::shared_ptr<Index> *>(info.Data()); }

void Gather(Index *index, std::string_view key, uint64_t hash, int32_t token) {
  index->gathered.Add(reinterpret_cast<const uint8_t *>(key.data()), key.size(), hash);
  index->tokens.push_back(static_cast<uint32_t>(token));
  index->epochs.push_back(index->store->Epoch(hash));
}

// Puts a value at the next place. Returns its length, or why it is not there.
int32_t PutInBlock(Index *index, std::string_view value) {
  index->found = value;
  if (value.size() > index->block_bytes / kLargeShare && index->block_bytes > 0) return CodeOf(FindCode::kLarge);
  if (value.size() > index->block_bytes - index->block_at) return CodeOf(FindCode::kNoRoom);
  if (!value.empty()) memcpy(index->block + index->block_at, value.data(), value.size());
  size_t taken = (value.size() + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
  index->block_at = std::min(index->block_bytes, index->block_at + taken);
  return static_cast<int32_t>(value.size());
}

int32_t Find(Index *index, size_t length, int32_t token) {
  std::string_view key = index->Key(length), value;
  uint64_t hash = HashOf(key);
  StoreIndex::Answer answer = index->store->Find(key, hash, &value);
  if (answer == StoreIndex::Answer::kAbsent) return CodeOf(FindCode::kAbsent);
  if (answer == StoreIndex::Answer::kValue) return PutInBlock(index, value);
  if (token != kNoToken) Gather(index, key, hash, token);
  return CodeOf(FindCode::kNotInMemory);
}

// find(length, token): a length or a FindCode. Without the wrappers: they would double its time.
napi_value FindInMemory(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result = nullptr;
  size_t count = 2;
  void *data;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  int32_t length = 0, token = kNoToken;
  napi_get_value_int32(env, arguments[0], &length);
  napi_get_value_int32(env, arguments[1], &token);
  int32_t code = CodeOf(FindCode::kAbsent);
  try {
    code = Find(static_cast<std::shared_ptr<Index> *>(data)->get(), static_cast<size_t>(length), token);
  } catch (const std::bad_alloc &) {
    napi_throw_error(env, "ENOMEM", "no memory for a lookup");
    return nullptr;
  }
  napi_create_int32(env, code, &result);
  return result;
}

// flush(): starts the requested lookups
void Flush(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  if (index.gathered.size() == 0) return;
  auto flight = std::make_shared<Flight>();
  flight->index = index.store;
  flight->lookup = index.store->NewLookup(std::exchange(index.gathered, KeyBatch()));
  flight->tokens = std::exchange(index.tokens, {});
  flight->epochs = std::exchange(index.epochs, {});
  index.stream->Start(info.Env(), std::move(flight));
}

// large(): the value of the last find(), as a Buffer of its own
Napi::Value Large(const Napi::CallbackInfo &info) {
  std::string_view found = IndexOf(info).found;
  return Napi::Buffer<uint8_t>::Copy(info.Env(), reinterpret_cast<const uint8_t *>(found.data()), found.size());
}

// setBlock(block, isRetry): values go there from now on. With isRetry, first the value of the last find(), if nothing
// was called since; answers as find().
Napi::Value SetBlock(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  auto block = info[0].As<Napi::Uint8Array>();
  index.block = block.Data();
  index.block_bytes = block.ByteLength();
  index.block_at = 0;
  int32_t answer = info[1].As<Napi::Boolean>() ? PutInBlock(&index, index.found) : CodeOf(FindCode::kAbsent);
  return Napi::Number::New(info.Env(), answer);
}

// readNow(length): { value } | { failure }; waits for the disk
Napi::Value ReadNow(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  Napi::Env env = info.Env();
  std::string_view key = index.Key(info[0].As<Napi::Number>().Uint32Value());
  uint64_t hash = HashOf(key);
  LookupResult result;
  index.store->ReadNow(key, hash, &result);
  Napi::Object object = Napi::Object::New(env);
  if (result.failure) {
    object.Set("failure", FailureToJs(env, result.failure, result.failed_in.get()));
    return object;
  }
  index.store->Take(key, hash, index.store->Epoch(hash), result);
  if (result.found) object.Set("value", Napi::Buffer<uint8_t>::Copy(env, result.value.data(), result.value.size()));
  return object;
}

// Calls visit(key) for each of the keys packed as lengths of 16 bits with the bytes after each.
template <typename Visit>
void ForEachKey(const Napi::Uint8Array &packed, Visit visit) {
  const uint8_t *at = packed.Data(), *end = at + packed.ByteLength();
  uint16_t length;
  while (static_cast<size_t>(end - at) >= sizeof(length)) {
    memcpy(&length, at, sizeof(length));
    at += sizeof(length);
    if (length > end - at) return;
    visit(std::string_view(reinterpret_cast<const char *>(at), length));
    at += length;
  }
}

// A lookup of many keys, some of which are already answered.
class ManyJob : public LookupJob {
 public:
  ManyJob(std::shared_ptr<StoreIndex> index, std::shared_ptr<Lookup> lookup)
      : LookupJob(std::move(lookup)), index_(std::move(index)) {}

  std::vector<uint32_t> which;   // that are not
  std::vector<uint64_t> epochs;  // of those; none, to admit nothing

 protected:
  Napi::Value Finish(Napi::Env env) override {
    const KeyBatch &keys = lookup().keys();
    for (size_t i = 0; i < which.size(); i++) {
      uint32_t key = which[i];
      if (epochs.empty())
        index_->Count(lookup().result(key));
      else
        index_->Take(keys.view(key), keys.hash(key), epochs[i], lookup().result(key));
    }
    return LookupJob::Finish(env);
  }

 private:
  std::shared_ptr<StoreIndex> index_;
};

// getMany(packed, fromMemory): looks into memory first, or skips memory and then admits nothing, since a key may have
// been written after the caller's look there. { packed } | { failure }, or a promise of it if tables must be read
Napi::Value GetMany(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  StoreIndex &store = *index.store;
  bool from_memory = info[1].As<Napi::Boolean>();
  KeyBatch keys;
  ForEachKey(info[0].As<Napi::Uint8Array>(),
             [&](std::string_view key) { keys.Add(reinterpret_cast<const uint8_t *>(key.data()), key.size()); });
  auto job = std::make_shared<ManyJob>(index.store, store.NewLookup(std::move(keys)));
  Lookup &lookup = job->lookup();
  for (uint32_t i = 0; i < lookup.keys().size(); i++) {
    uint64_t hash = lookup.keys().hash(i);
    std::string_view value;
    StoreIndex::Answer answer = StoreIndex::Answer::kUnknown;
    if (from_memory) answer = store.Find(lookup.keys().view(i), hash, &value);
    if (answer == StoreIndex::Answer::kUnknown) {
      job->which.push_back(i);
      if (from_memory) job->epochs.push_back(store.Epoch(hash));
    }
    lookup.result(i).found = answer == StoreIndex::Answer::kValue;
    if (lookup.result(i).found) lookup.result(i).value.assign(value.begin(), value.end());
  }
  if (job->which.empty()) return job->Pack(info.Env());
  return LookupJob::Start(info.Env(), index.channel->shared_from_this(), job, job->which);
}

// written(packed): in the turn in which these keys were written
void Written(const Napi::CallbackInfo &info) {
  StoreIndex &store = *IndexOf(info).store;
  ForEachKey(info[0].As<Napi::Uint8Array>(), [&store](std::string_view key) { store.Written(key, HashOf(key)); });
}

void WrittenAll(const Napi::CallbackInfo &info) { IndexOf(info).store->WrittenAll(); }

// epoch(length): of the key, for admit()
Napi::Value EpochOf(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  uint64_t hash = HashOf(index.Key(info[0].As<Napi::Number>().Uint32Value()));
  return Napi::Number::New(info.Env(), static_cast<double>(index.store->Epoch(hash)));
}

// admit(length, epoch, value?): true if the key was not written since that epoch; the row is cached then
Napi::Value Admit(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  std::string_view key = index.Key(info[0].As<Napi::Number>().Uint32Value()), value;
  bool is_there = !info[2].IsUndefined();
  if (is_there) {
    auto bytes = info[2].As<Napi::Uint8Array>();
    value = {reinterpret_cast<const char *>(bytes.Data()), bytes.ByteLength()};
  }
  auto epoch = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  auto kind = is_there ? RowCache::Kind::kValue : RowCache::Kind::kAbsent;
  return Napi::Boolean::New(info.Env(), index.store->Admit(key, HashOf(key), epoch, kind, value));
}

std::string BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char *>(bytes.Data()), bytes.ByteLength()};
}

// setTables(handles, bounds): the newest first; bounds has the smallest and the largest key of each
void SetTables(const Napi::CallbackInfo &info) {
  auto handles = info[0].As<Napi::Array>(), bounds = info[1].As<Napi::Array>();
  auto version = std::make_shared<TableVersion>();
  for (uint32_t i = 0; i < handles.Length(); i++) {
    Napi::HandleScope scope(info.Env());
    const TableHandle &file = *handles.Get(i).As<Napi::External<TableHandle>>().Data();
    version->tables.push_back({file, BytesOf(bounds.Get(2 * i)), BytesOf(bounds.Get(2 * i + 1))});
  }
  IndexOf(info).store->SetTables(std::move(version));
}

// setEngines(numbers): one a table
void SetEngines(const Napi::CallbackInfo &info) {
  auto numbers = info[0].As<Napi::Array>();
  Lookup::Engines engines;
  for (uint32_t i = 0; i < numbers.Length(); i++)
    engines.push_back(static_cast<Engine>(numbers.Get(i).As<Napi::Number>().Int32Value()));
  IndexOf(info).store->SetEngines(std::move(engines));
}

// setMemtables(handles): the newest first
void SetMemtables(const Napi::CallbackInfo &info) {
  auto handles = info[0].As<Napi::Array>();
  std::vector<MemtableHandle> memtables;
  for (uint32_t i = 0; i < handles.Length(); i++)
    memtables.push_back(*handles.Get(i).As<Napi::External<MemtableHandle>>().Data());
  IndexOf(info).store->SetMemtables(std::move(memtables));
}

class FilterJob : public Job {
 public:
  FilterJob(TableHandle table, uint64_t bytes_max) : table_(std::move(table)), bytes_max_(bytes_max) {}

 protected:
  // A table without its filter is read more often, with the same results.
  void Run(int) override { table_->LoadFilter(bytes_max_); }
  void FailForMemory() override {}
  Napi::Value Finish(Napi::Env env) override { return env.Undefined(); }

 private:
  TableHandle table_;
  uint64_t bytes_max_;
};

// prepareTable(handle): Promise<undefined>; before its first lookup
Napi::Value PrepareTable(const Napi::CallbackInfo &info) {
  Index &index = IndexOf(info);
  const TableHandle &table = *info[0].As<Napi::External<TableHandle>>().Data();
  table->SharePinned(index.store->pinned());
  auto job = std::make_shared<FilterJob>(table, index.store->FilterAllowance(*table));
  return index.channel->Start(info.Env(), job, 1);
}

void Close(const Napi::CallbackInfo &info) { IndexOf(info).store->Close(); }

// stats(): see StoreIndexStats
Napi::Value Stats(const Napi::CallbackInfo &info) {
  const StoreIndex &store = *IndexOf(info).store;
  Napi::Object object = Napi::Object::New(info.Env());
  auto set = [&object](const char *name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
  set("memtableHits", store.counters().memtable);
  set("rowHits", store.counters().row);
  set("leafHits", store.counters().leaf);
  set("noTable", store.counters().no_table);
  set("foundInTable", store.counters().found_in_table);
  set("inNoTable", store.counters().in_no_table);
  set("filterNegatives", store.counters().filter_refusals);
  set("rows", store.cache().rows());
  set("leaves", store.cache().leaves());
  set("cacheBytes", store.cache().bytes());
  set("interiorBytes", store.pinned()->interior_bytes);
  set("filterBytes", store.pinned()->filter_bytes);
  set("tablesWithoutFilter", store.tables_without_filter());
  return object;
}

// A function that holds the index.
void SetFunction(Napi::Object object, const char *name, const std::shared_ptr<Index> &index,
                 napi_value (*create)(napi_env, const char *, void *)) {
  auto owner = new std::shared_ptr<Index>(index);
  napi_value function = create(object.Env(), name, owner);
  auto release = [](napi_env, void *data, void *) { delete static_cast<std::shared_ptr<Index> *>(data); };
  napi_add_finalizer(object.Env(), function, owner, release, nullptr, nullptr);
  object.Set(name, Napi::Value(object.Env(), function));
}

template <auto call>
napi_value Wrapped(napi_env env, const char *name, void *data) {
  return Napi::Function::New<call>(env, name, data);
}

napi_value Plain(napi_env env, const char *name, void *data) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, FindInMemory, data, &function);
  return function;
}

// openStoreIndex(cacheBytes, stream): the functions above, and `key`, the memory for a key
Napi::Value OpenStoreIndex(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Index> index;
  try {
    index = std::make_shared<Index>(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  } catch (const std::bad_alloc &) {
    throw Napi::Error::New(env, "no memory for the cache");
  }
  index->stream = info[1].As<Napi::External<LookupStream>>().Data();
  index->channel = static_cast<JobChannel *>(info.Data());
  Napi::Object object = Napi::Object::New(env);
  SetFunction(object, "find", index, Plain);
  SetFunction(object, "large", index, Wrapped<Large>);
  SetFunction(object, "flush", index, Wrapped<Flush>);
  SetFunction(object, "setBlock", index, Wrapped<SetBlock>);
  SetFunction(object, "readNow", index, Wrapped<ReadNow>);
  SetFunction(object, "getMany", index, Wrapped<GetMany>);
  SetFunction(object, "written", index, Wrapped<Written>);
  SetFunction(object, "writtenAll", index, Wrapped<WrittenAll>);
  SetFunction(object, "epoch", index, Wrapped<EpochOf>);
  SetFunction(object, "admit", index, Wrapped<Admit>);
  SetFunction(object, "setTables", index, Wrapped<SetTables>);
  SetFunction(object, "setEngines", index, Wrapped<SetEngines>);
  SetFunction(object, "setMemtables", index, Wrapped<SetMemtables>);
  SetFunction(object, "prepareTable", index, Wrapped<PrepareTable>);
  SetFunction(object, "close", index, Wrapped<Close>);
  SetFunction(object, "stats", index, Wrapped<Stats>);
  using Owner = std::shared_ptr<Index>;
  auto release = [](Napi::Env, void *, Owner *owner) { delete owner; };
  object.Set("key", Napi::ArrayBuffer::New(env, index->key, sizeof(index->key), release, new Owner(index)));
  using Leaves = std::shared_ptr<LeafCache>;
  object.Set("leaves", Napi::External<Leaves>::New(env, new Leaves(index->store),
                                                   [](Napi::Env, Leaves *leaves) { delete leaves; }));
  return object;
}

// openLookupStream(receive, words): stream
Napi::Value OpenLookupStream(const Napi::CallbackInfo &info) {
  LookupStream *stream = LookupStream::Create(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Int32Array>());
  return Napi::External<LookupStream>::New(info.Env(), stream);
}

}  // namespace

void RegisterStoreIndex(Napi::Env env, Napi::Object exports) {
  JobChannel *channel = JobChannel::Create(env);
  exports.Set("openStoreIndex", Napi::Function::New(env, OpenStoreIndex, "openStoreIndex", channel));
  exports.Set("openLookupStream", Napi::Function::New(env, OpenLookupStream, "openLookupStream"));
}

}  // namespace exopool
