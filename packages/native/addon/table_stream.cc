// SPDX-License-Identifier: Apache-2.0
#include "table_stream.hh"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "ring_engine.hh"

namespace exopool {
namespace {

constexpr int32_t kNotFound = -1;
constexpr int32_t kDeleted = -2;
constexpr int32_t kFailed = -3;

}  // namespace

LookupStream *LookupStream::Create(Napi::Env env, Napi::Function receive) {
  auto stream = std::make_shared<LookupStream>();
  napi_value name = Napi::String::New(env, "exopool");
  napi_status status = napi_create_threadsafe_function(env, receive, nullptr, name, 0, 1, nullptr, nullptr,
                                                       stream.get(), Deliver, &stream->function_);
  if (status != napi_ok) throw Napi::Error::New(env, "cannot create the channel for answers");
  // Only keys in flight keep the process alive.
  napi_unref_threadsafe_function(env, stream->function_);
  // Hooks run last in, first out: the stream closes before Node takes the function down.
  auto owner = new std::shared_ptr<LookupStream>(stream);
  napi_add_env_cleanup_hook(
      env,
      [](void *data) {
        auto ended = static_cast<std::shared_ptr<LookupStream> *>(data);
        (*ended)->Close();
        delete ended;
      },
      owner);
  return stream.get();
}

void LookupStream::Start(Napi::Env env, std::shared_ptr<TableFile> table, KeyBatch keys,
                         uint32_t first_token) {
  struct Flight {
    KeyBatch keys;
    std::vector<LookupResult> results;
  };
  auto flight = std::make_shared<Flight>();
  flight->keys = std::move(keys);
  flight->results.resize(flight->keys.size());
  if (in_flight_ == 0) napi_ref_threadsafe_function(env, function_);
  in_flight_ += flight->keys.size();

  auto call = std::make_shared<RingCall>();
  call->table = std::move(table);
  call->keys = &flight->keys;
  call->count = flight->keys.size();
  call->results = flight->results.data();
  call->value_bytes_max = UINT64_MAX;  // they leave one by one
  call->ended = [stream = shared_from_this(), flight, first_token](size_t key) {
    stream->Push(first_token + static_cast<uint32_t>(key), std::move(flight->results[key]));
  };
  call->cancelled = &closed_;
  RingEngine::Get().Submit(std::move(call));
}

void LookupStream::Push(uint32_t token, LookupResult result) {
  std::lock_guard<std::mutex> lock(mutex_);
  answers_.push_back({token, std::move(result)});
  Schedule();
}

// With the lock held.
void LookupStream::Schedule() {
  if (closed_ || is_scheduled_) return;
  is_scheduled_ = napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

void LookupStream::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

// Answers for one delivery; schedules the next when some are left.
std::vector<LookupStream::Answer> LookupStream::Take() {
  std::lock_guard<std::mutex> lock(mutex_);
  is_scheduled_ = false;
  size_t count = 0;
  uint64_t bytes = 0;
  while (count < std::min(answers_.size(), kDeliveryKeys) && bytes < kDeliveryBytes)
    bytes += answers_[count++].result.value.size();
  auto end = answers_.begin() + static_cast<ptrdiff_t>(count);
  std::vector<Answer> taken(std::make_move_iterator(answers_.begin()), std::make_move_iterator(end));
  answers_.erase(answers_.begin(), end);
  if (!answers_.empty()) Schedule();
  return taken;
}

// `env` is null when the environment ended with the delivery in its queue.
void LookupStream::Deliver(napi_env env, napi_value receive, void *context, void *) {
  if (env == nullptr) return;
  auto stream = static_cast<LookupStream *>(context);
  Napi::HandleScope scope(env);
  std::vector<Answer> answers = stream->Take();
  stream->in_flight_ -= answers.size();
  if (stream->in_flight_ == 0) napi_unref_threadsafe_function(env, stream->function_);
  try {
    Hand(env, Napi::Function(env, receive), answers);
  } catch (const Napi::Error &error) {
    error.ThrowAsJavaScriptException();
  }
}

void LookupStream::Hand(Napi::Env env, Napi::Function receive, const std::vector<Answer> &answers) {
  uint64_t bytes = sizeof(uint32_t);
  for (const Answer &answer : answers) bytes += 2 * sizeof(uint32_t) + answer.result.value.size();
  auto packed = Napi::Buffer<uint8_t>::New(env, bytes);
  Napi::Array failures = Napi::Array::New(env);
  uint8_t *head = packed.Data();
  auto put = [&head](uint32_t number) {
    memcpy(head, &number, sizeof(number));
    head += sizeof(number);
  };
  put(static_cast<uint32_t>(answers.size()));
  uint8_t *values = head + answers.size() * 2 * sizeof(uint32_t);
  for (const Answer &answer : answers) {
    const LookupResult &result = answer.result;
    int32_t length = result.deleted ? kDeleted : kNotFound;
    if (result.found) length = static_cast<int32_t>(result.value.size());
    if (result.failure) {
      length = kFailed;
      failures.Set(failures.Length(), FailureToJs(env, result.failure));
    } else {
      values = std::copy(result.value.begin(), result.value.end(), values);
    }
    put(answer.token);
    put(static_cast<uint32_t>(length));
  }
  receive.Call({packed, failures});
}

}  // namespace exopool
