// SPDX-License-Identifier: Apache-2.0
// SealedCache for JavaScript; ../src/cache/sealed-cache.ts makes promises of its answers.
//
// An answer is three numbers in an array that both sides see: its batch, its place there, and a length. Values lie end
// to end in one block. One call delivers all answers that have arrived.
#include "base/clock.hh"
#include "cache/sealed_cache.hh"
#include "door/binding.hh"
#include "door/crossing.hh"

namespace exopool {
namespace {

constexpr int kBatchShift = 32;  // a token has the batch above, the place in it below

class SealedCacheObject : public Napi::ObjectWrap<SealedCacheObject> {
 public:
  // Of values in one call.
  static constexpr size_t kDeliveryBytes = 4u << 20;

  static Napi::Function Define(Napi::Env env) {
    using Self = SealedCacheObject;
    return DefineClass(
        env, "SealedCache",
        {InstanceMethod<&Self::AddRegion>("addRegion"), InstanceMethod<&Self::RemoveRegion>("removeRegion"),
         InstanceMethod<&Self::RemoveSlabs>("removeSlabs"), InstanceMethod<&Self::TamperedOf>("tamperedOf"),
         InstanceMethod<&Self::Vacate>("vacate"), InstanceMethod<&Self::Get>("get"), InstanceMethod<&Self::Put>("put"),
         InstanceMethod<&Self::Delete>("delete"), InstanceMethod<&Self::MayHold>("mayHold"),
         InstanceMethod<&Self::Send>("send"), InstanceMethod<&Self::SendAndWait>("sendAndWait"),
         InstanceMethod<&Self::KeepAlive>("keepAlive"), InstanceMethod<&Self::Stats>("stats")});
  }

  // (mode, receive: (answers, values?) => void, words: Int32Array of kCacheWords * kCacheAnswersMax)
  explicit SealedCacheObject(const Napi::CallbackInfo &info)
      : Napi::ObjectWrap<SealedCacheObject>(info), env_(info.Env()) {
    const uint32_t mode = info[0].ToNumber().Uint32Value();
    auto words = info[2].As<Napi::Int32Array>();
    if (mode >= kSealModes || words.ElementLength() < kCacheWords * kCacheAnswersMax)
      throw Napi::Error::New(env_, "no such mode, or too few words");
    words_reference_ = Napi::Persistent(words);
    words_ = words.Data();
    receive_ = Napi::Persistent(info[1].As<Napi::Function>());
    const Napi::String name = Napi::String::New(env_, "exopool sealed cache");
    napi_create_threadsafe_function(env_, info[1], nullptr, name, 0, 1, nullptr, nullptr, this, Deliver, &wake_);
    napi_unref_threadsafe_function(env_, wake_);
    answers_ = std::make_shared<CacheAnswers>(
        [wake = wake_] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); });
    cache_ = std::make_unique<SealedCache>(static_cast<SealMode>(mode), &SlabClientLoop::Get(kClientSpinUs), answers_);
    Ref();
    // Hooks run in reverse order: this one before the end of the function that it must silence.
    napi_add_env_cleanup_hook(env_, EndWithEnvironment, this);
  }

 private:
  static void EndWithEnvironment(void *self) {
    auto *object = static_cast<SealedCacheObject *>(self);
    object->answers_->Close();
    object->words_reference_.Reset();
    object->receive_.Reset();
    object->cache_.reset();
  }

  static std::string_view ViewOf(napi_env env, napi_value value) {
    void *data = nullptr;
    size_t bytes = 0;
    if (napi_get_buffer_info(env, value, &data, &bytes) != napi_ok) return {};
    return {static_cast<const char *>(data), bytes};
  }

  std::string_view ElementOf(napi_value array, uint32_t index) {
    napi_value element;
    if (napi_get_element(env_, array, index, &element) != napi_ok) return {};
    return ViewOf(env_, element);
  }

  static uint64_t IdOf(const Napi::Value &value) {
    return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
  }

  static uint64_t TokenOf(const Napi::Value &batch) { return IdOf(batch) << kBatchShift; }

  // (session, slabs, slabBytes) -> false if the session is over
  Napi::Value AddRegion(const Napi::CallbackInfo &info) {
    return Napi::Boolean::New(
        env_, cache_->AddRegion(IdOf(info[0]), info[1].ToNumber().Uint32Value(), info[2].ToNumber().Uint32Value()));
  }
  void RemoveRegion(const Napi::CallbackInfo &info) { cache_->RemoveRegion(IdOf(info[0])); }
  void RemoveSlabs(const Napi::CallbackInfo &info) {
    auto slabs = info[1].As<Napi::Uint32Array>();
    for (size_t i = 0; i < slabs.ElementLength(); ++i) cache_->RemoveSlab(IdOf(info[0]), slabs[i]);
  }
  Napi::Value TamperedOf(const Napi::CallbackInfo &info) {
    return Napi::Number::New(env_, static_cast<double>(cache_->TamperedOf(IdOf(info[0]))));
  }
  Napi::Value Vacate(const Napi::CallbackInfo &info) {
    const std::vector<uint32_t> slabs = cache_->Vacate(IdOf(info[0]), info[1].ToNumber().Uint32Value());
    auto out = Napi::Uint32Array::New(env_, slabs.size());
    for (size_t i = 0; i < slabs.size(); ++i) out[i] = slabs[i];
    return out;
  }

  // (keys, batch, here: Uint8Array, at least as long) -> how many of them are in flight; `here` gets a 1 for each of
  // these, else a 0.
  Napi::Value Get(const Napi::CallbackInfo &info) {
    const napi_value keys = info[0];
    const uint64_t batch = TokenOf(info[1]);
    const uint32_t count = info[0].As<Napi::Array>().Length();
    auto here = info[2].As<Napi::Uint8Array>();
    uint8_t *const is_here = here.Data();
    uint32_t under_way = 0;
    for (uint32_t i = 0; i < count && i < here.ElementLength(); ++i) {
      is_here[i] = cache_->Get(ElementOf(keys, i), batch | i);
      under_way += is_here[i];
    }
    cache_->EndGets();
    return Napi::Number::New(env_, under_way);
  }

  // (keys, values, batch) -> how many answers with this batch follow
  Napi::Value Put(const Napi::CallbackInfo &info) {
    const uint32_t count = info[0].As<Napi::Array>().Length();
    for (uint32_t i = 0; i < count; ++i) {
      const Napi::HandleScope scope(env_);
      cache_->Put(ElementOf(info[0], i), ElementOf(info[1], i));
    }
    return Napi::Number::New(env_, cache_->EndPuts(TokenOf(info[2])));
  }

  void Delete(const Napi::CallbackInfo &info) {
    const uint32_t count = info[0].As<Napi::Array>().Length();
    for (uint32_t i = 0; i < count; ++i) {
      const Napi::HandleScope scope(env_);
      cache_->Delete(ElementOf(info[0], i));
    }
  }
  Napi::Value MayHold(const Napi::CallbackInfo &info) {
    return Napi::Boolean::New(env_, cache_->MayHold(ViewOf(env_, info[0])));
  }

  void Send(const Napi::CallbackInfo &) { cache_->Send(); }

  // (microseconds) -> whether there were answers in that time; `receive` has been called with them then.
  Napi::Value SendAndWait(const Napi::CallbackInfo &info) {
    const uint64_t end_ns = MonotonicNs() + uint64_t{info[0].ToNumber().Uint32Value()} * 1000;
    if (!cache_->SendAndWait(end_ns)) return Napi::Boolean::New(env_, false);
    HandAll(env_, receive_.Value());
    return Napi::Boolean::New(env_, true);
  }

  // (yes): whether requests in flight keep the process alive.
  void KeepAlive(const Napi::CallbackInfo &info) {
    if (info[0].As<Napi::Boolean>()) {
      napi_ref_threadsafe_function(env_, wake_);
    } else {
      napi_unref_threadsafe_function(env_, wake_);
    }
  }

  // () -> Float64Array, by CacheStat
  Napi::Value Stats(const Napi::CallbackInfo &) {
    const CacheCounts &c = cache_->counts();
    auto out = Napi::Float64Array::New(env_, kCacheStats);
    auto set = [&out](CacheStat stat, uint64_t value) { out[static_cast<size_t>(stat)] = static_cast<double>(value); };
    set(CacheStat::kHits, c.hits);
    set(CacheStat::kMisses, c.misses);
    set(CacheStat::kPuts, c.puts);
    set(CacheStat::kRejected, c.rejected);
    set(CacheStat::kEvictions, c.evictions);
    set(CacheStat::kTampered, c.tampered);
    set(CacheStat::kMoved, c.moved);
    set(CacheStat::kEntries, cache_->entries());
    set(CacheStat::kBytes, cache_->value_bytes());
    set(CacheStat::kCapacityBytes, cache_->capacity_bytes());
    set(CacheStat::kMetadataBytes, cache_->metadata_bytes());
    return out;
  }

  // On JavaScript's thread. Plain Node-API, since this may run in a worker thread that is being terminated.
  static void Deliver(napi_env env, napi_value, void *context, void *) {
    if (env == nullptr) return;
    auto *self = static_cast<SealedCacheObject *>(context);
    napi_handle_scope scope;
    if (self->cache_ == nullptr || napi_open_handle_scope(env, &scope) != napi_ok) return;
    self->HandAll(env, self->receive_.Value());
    napi_close_handle_scope(env, scope);
  }

  void HandAll(napi_env env, napi_value receive) {
    std::vector<CacheAnswer> answers = answers_->Take();
    std::vector<CacheAnswer> told;
    size_t bytes = 0;
    for (CacheAnswer &answer : answers) {
      if (!cache_->Settle(&answer)) continue;
      bytes += answer.kind == CacheAnswerKind::kFound ? answer.size - kCheckBytes : 0;
      told.push_back(std::move(answer));
      if (told.size() < kCacheAnswersMax && bytes < kDeliveryBytes) continue;
      if (!Hand(env, receive, told, bytes)) return;
      told.clear();
      bytes = 0;
    }
    if (!told.empty() && !Hand(env, receive, told, bytes)) return;
    if (cache_ == nullptr) return;
    cache_->EndPuts(0);  // moved values
    cache_->Send();
  }

  static CacheCode CodeOf(CacheAnswerKind kind) {
    switch (kind) {
      case CacheAnswerKind::kWritten:
        return CacheCode::kPutDone;
      case CacheAnswerKind::kTampered:
        return CacheCode::kTamperedWith;
      default:
        return CacheCode::kMissed;
    }
  }

  // False: this thread is being terminated, or a callback threw.
  bool Hand(napi_env env, napi_value receive, const std::vector<CacheAnswer> &answers, size_t bytes) {
    napi_value arguments[2];
    uint8_t *at = nullptr;
    if (napi_create_uint32(env, static_cast<uint32_t>(answers.size()), &arguments[0]) != napi_ok) return false;
    const napi_status made = bytes == 0 ? napi_get_undefined(env, &arguments[1])
                                        : napi_create_buffer(env, bytes, reinterpret_cast<void **>(&at), &arguments[1]);
    if (made != napi_ok) return false;
    int32_t *word = words_;
    for (const CacheAnswer &answer : answers) {
      const bool found = answer.kind == CacheAnswerKind::kFound;
      const uint32_t size = found ? answer.size - kCheckBytes : 0;
      if (size > 0) memcpy(at, answer.bytes.get() + kCheckBytes, size);
      at += size;
      word[kCacheBatch] = static_cast<int32_t>(answer.token >> kBatchShift);
      word[kCachePlace] = static_cast<int32_t>(answer.token);
      word[kCacheLength] = static_cast<int32_t>(found ? size : static_cast<uint32_t>(CodeOf(answer.kind)));
      word += kCacheWords;
    }
    napi_value receiver;
    return napi_get_undefined(env, &receiver) == napi_ok &&
           napi_call_function(env, receiver, receive, 2, arguments, nullptr) == napi_ok;
  }

  const napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  Napi::Reference<Napi::Int32Array> words_reference_;
  Napi::FunctionReference receive_;
  int32_t *words_ = nullptr;
  std::shared_ptr<CacheAnswers> answers_;
  std::unique_ptr<SealedCache> cache_;
};

}  // namespace

void RegisterSealedCache(Napi::Env env, Napi::Object exports) {
  exports.Set("SealedCache", SealedCacheObject::Define(env));
}

}  // namespace exopool
