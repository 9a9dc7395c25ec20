// SPDX-License-Identifier: Apache-2.0
// Lookups on the ring whose keys are answered one by one.
//
// A device answers most reads at once and a few very late. Whoever waits for single keys (many `get` calls
// under way) should not wait for the slowest read of whatever crossed over with it: that idles the device. So
// each key goes back when it is found. One delivery carries what is there by then, of any call: the busier
// JavaScript is, the more it gets at a time, and nobody is woken for a single key under load.
//
//   JavaScript thread                     ring's thread
//   Start(keys, tokens) ----------------> walks
//   receive(packed) <-- delivery <------- [ answers ]      scheduled once until it has run
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "table_walk.hh"

namespace exopool {

class LookupStream : public std::enable_shared_from_this<LookupStream> {
 public:
  // Answers in one delivery: few enough that what JavaScript asks for next is under way while it takes the
  // rest.
  static constexpr size_t kDeliveryKeys = 16;
  // Bytes of values in one delivery, unless a single value is longer: they share one block of memory.
  static constexpr uint64_t kDeliveryBytes = 16u << 20;

  // `receive(packed, failures)` is called with
  //   packed    count; token, length (-1: not found, -2: deleted, -3: failed) of each; the values. 32-bit numbers
  //   failures  of those with length -3, in their order
  // Lives until the environment ends.
  static LookupStream *Create(Napi::Env env, Napi::Function receive);

  // Looks the keys up; key i's answer has the token first_token + i. On the JavaScript thread.
  void Start(Napi::Env env, std::shared_ptr<TableFile> table, KeyBatch keys, uint32_t first_token);

 private:
  struct Answer {
    uint32_t token;
    LookupResult result;
  };

  static void Deliver(napi_env env, napi_value receive, void *context, void *data);
  static void Hand(Napi::Env env, Napi::Function receive, const std::vector<Answer> &answers);
  void Push(uint32_t token, LookupResult result);
  std::vector<Answer> Take();
  void Schedule();
  void Close();

  std::mutex mutex_;
  std::atomic<bool> closed_{false};
  bool is_scheduled_ = false;
  std::vector<Answer> answers_;
  napi_threadsafe_function function_ = nullptr;
  size_t in_flight_ = 0;  // keys; used on the JavaScript thread only
};

// A failure as JavaScript gets it: { kind, number, offset, detail }.
Napi::Object FailureToJs(Napi::Env env, const Failure &failure);

}  // namespace exopool
