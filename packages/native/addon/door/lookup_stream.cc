// SPDX-License-Identifier: Apache-2.0
#include "door/lookup_stream.hh"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/worker_pool.hh"
#include "door/crossing.hh"
#include "door/lookup_job.hh"

namespace exopool {
namespace {}  // namespace

LookupStream *LookupStream::Create(Napi::Env env, Napi::Function receive, Napi::Int32Array words) {
  WorkerPool::Get();  // may throw: here rather than when a caller waits for an answer
  auto stream = std::make_shared<LookupStream>();
  stream->words_reference_ = Napi::Persistent(words);
  stream->words_ = words.Data();
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

void LookupStream::Start(Napi::Env env, std::shared_ptr<Flight> flight) {
  Lookup &lookup = *flight->lookup;
  size_t count = lookup.keys().size();
  if (in_flight_ == 0) napi_ref_threadsafe_function(env, function_);
  in_flight_ += count;
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  lookup.answered = [stream = shared_from_this(), flight](size_t key) { stream->Push(flight, key); };
  lookup.cancelled = &closed_;
  lookup.Start(std::move(all));
}

void LookupStream::Push(const std::shared_ptr<Flight> &flight, size_t key) {
  std::lock_guard<std::mutex> lock(mutex_);
  answers_.push_back({flight, key});
  Schedule();
}

// With the lock held.
void LookupStream::Schedule() {
  if (closed_ || is_scheduled_) return;
  is_scheduled_ = napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

// On the JavaScript thread; the stream itself may go later, on any.
void LookupStream::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  words_reference_.Reset();
}

// Answers for one delivery; schedules the next when some are left.
std::vector<LookupStream::Answer> LookupStream::Take() {
  std::lock_guard<std::mutex> lock(mutex_);
  is_scheduled_ = false;
  size_t count = 0;
  uint64_t bytes = 0;
  while (count < std::min<size_t>(answers_.size(), kStreamAnswersMax) && bytes < kDeliveryBytes)
    bytes += answers_[count++].result().value.size();
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
    stream->Hand(env, Napi::Function(env, receive), answers);
  } catch (const Napi::Error &error) {
    error.ThrowAsJavaScriptException();
  }
}

void LookupStream::Hand(Napi::Env env, Napi::Function receive, const std::vector<Answer> &answers) {
  uint64_t bytes = 0;
  for (const Answer &answer : answers) bytes += answer.result().value.size();
  Napi::Value values = env.Undefined(), failures = env.Undefined();
  uint8_t *at = nullptr;
  if (bytes > 0) {
    auto buffer = Napi::Buffer<uint8_t>::New(env, bytes);
    at = buffer.Data();
    values = buffer;
  }
  int32_t *word = words_;
  for (const Answer &answer : answers) {
    const LookupResult &result = answer.result();
    const Flight &flight = *answer.flight;
    const KeyBatch &keys = flight.lookup->keys();
    flight.index->Take(keys.view(answer.key), keys.hash(answer.key), flight.epochs[answer.key], result);
    int32_t length = result.found ? static_cast<int32_t>(result.value.size()) : kValueNotFound;
    if (result.failure) {
      length = kValueFailed;
      if (failures.IsUndefined()) failures = Napi::Array::New(env);
      auto list = failures.As<Napi::Array>();
      list.Set(list.Length(), FailureToJs(env, result.failure, result.failed_in.get()));
    } else {
      at = std::copy(result.value.begin(), result.value.end(), at);
    }
    word[kStreamToken] = static_cast<int32_t>(flight.tokens[answer.key]);
    word[kStreamLength] = length;
    word += kStreamWords;
  }
  receive.Call({Napi::Number::New(env, static_cast<double>(answers.size())), values, failures});
}

}  // namespace exopool
