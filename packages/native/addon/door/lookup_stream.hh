// SPDX-License-Identifier: Apache-2.0
// Lookups whose keys are answered one by one.
//
// A device answers most reads at once and a few very late. A caller that waits for one key (many `get` calls in
// flight) should not wait for the slowest read of its batch: that idles the device. So each key goes back when it is
// found. One delivery carries all answers that are there, of any lookup: the busier JavaScript is, the more it gets
// at a time.
//
//   JavaScript thread                     other threads
//   Start(flight) ----------------------> walks
//   receive(count, values) <-- delivery <------- [ answers ]      scheduled once until it has run
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/lookup.hh"
#include "store/store_index.hh"

namespace exopool {

// Keys that crossed together.
struct Flight {
  std::shared_ptr<StoreIndex> index;  // admits found values
  std::shared_ptr<Lookup> lookup;
  std::vector<uint32_t> tokens;  // one a key, as JavaScript knows it
  std::vector<uint64_t> epochs;  // in which its fetch began
};

class LookupStream : public std::enable_shared_from_this<LookupStream> {
 public:
  // Bytes of values in one delivery, unless a single value is longer: they share one block of memory.
  static constexpr uint64_t kDeliveryBytes = 16u << 20;

  // `receive(count, values, failures)` is called once `words` has the StreamWords of `count` answers: a token and a
  // length, or a ValueLength. `values` has the values end to end, `failures` the failures in their order; either is
  // undefined when there are none. `words` has room for kStreamAnswersMax. Lives until the environment ends.
  static LookupStream *Create(Napi::Env env, Napi::Function receive, Napi::Int32Array words);

  // On the JavaScript thread.
  void Start(Napi::Env env, std::shared_ptr<Flight> flight);

 private:
  struct Answer {
    std::shared_ptr<Flight> flight;
    size_t key;

    LookupResult &result() const { return flight->lookup->result(key); }
  };

  static void Deliver(napi_env env, napi_value receive, void *context, void *data);
  void Hand(Napi::Env env, Napi::Function receive, const std::vector<Answer> &answers);
  void Push(const std::shared_ptr<Flight> &flight, size_t key);
  std::vector<Answer> Take();
  void Schedule();
  void Close();

  std::mutex mutex_;
  std::atomic<bool> closed_{false};
  bool is_scheduled_ = false;
  std::vector<Answer> answers_;
  napi_threadsafe_function function_ = nullptr;
  Napi::Reference<Napi::Int32Array> words_reference_;
  int32_t *words_ = nullptr;
  size_t in_flight_ = 0;  // keys; used on the JavaScript thread only
};

}  // namespace exopool
