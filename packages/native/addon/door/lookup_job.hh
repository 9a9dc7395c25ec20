// SPDX-License-Identifier: Apache-2.0
// A lookup as a job: its results go to JavaScript together.
#pragma once

#include <memory>
#include <utility>

#include "door/job_channel.hh"
#include "engines/lookup.hh"

namespace exopool {

class LookupJob : public Job {
 public:
  explicit LookupJob(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}

  // Looks up keys which[...]; the results of the others are already set. { packed } | { failure } if it need not wait,
  // else a promise of it.
  static Napi::Value Start(Napi::Env env, const std::shared_ptr<JobChannel> &channel,
                           const std::shared_ptr<LookupJob> &job, std::vector<uint32_t> which);
  // { packed }: the length of each value, or a ValueLength, as a 32-bit number; then the values.
  Napi::Value Pack(Napi::Env env) const;
  Lookup &lookup() { return *lookup_; }

 protected:
  void Run(int) override {}
  void FailForMemory() override {}
  Napi::Value Finish(Napi::Env env) override { return Pack(env); }

 private:
  std::shared_ptr<Lookup> lookup_;
};

// A failure as JavaScript gets it: { kind, number, offset, detail, path }.
Napi::Object FailureToJs(Napi::Env env, const Failure &failure, const TableFile *failed_in = nullptr);

}  // namespace exopool
