// SPDX-License-Identifier: Apache-2.0
#include "door/lookup_job.hh"

#include <algorithm>
#include <cstring>

#include "door/crossing.hh"

namespace exopool {
namespace {

const char *NameOf(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kIo:
      return "io";
    case Failure::Kind::kCorrupt:
      return "corrupt";
    case Failure::Kind::kVersion:
      return "version";
    case Failure::Kind::kLimit:
      return "limit";
    case Failure::Kind::kNone:
    case Failure::Kind::kNotInMemory:
      break;  // never told
  }
  return "none";
}

Napi::Object Failed(Napi::Env env, const Failure &failure, const TableFile *failed_in) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("failure", FailureToJs(env, failure, failed_in));
  return object;
}

}  // namespace

Napi::Value LookupJob::Start(Napi::Env env, const std::shared_ptr<JobChannel> &channel,
                             const std::shared_ptr<LookupJob> &job, std::vector<uint32_t> which) {
  Lookup &lookup = *job->lookup_;
  if (lookup.CanLookupPresent() && channel->MayRunHere(which.size())) {
    which = lookup.LookupPresent(std::move(which));
    if (which.empty()) return job->Finish(env);
  }
  Napi::Value promise = channel->Begin(env, job.get());
  lookup.value_bytes_max = kPackedValuesBytesMax;
  lookup.cancelled = &channel->closed();
  lookup.done = [channel, job] { channel->Complete(job); };
  lookup.Start(std::move(which));
  return promise;
}

Napi::Value LookupJob::Pack(Napi::Env env) const {
  uint64_t value_bytes = 0;
  for (const LookupResult &result : lookup_->results()) value_bytes += result.value.size();
  if (value_bytes > kPackedValuesBytesMax) return Failed(env, {Failure::Kind::kLimit, 0, 0, ""}, nullptr);
  for (const LookupResult &result : lookup_->results()) {
    if (result.failure) return Failed(env, result.failure, result.failed_in.get());
  }
  auto packed = Napi::Buffer<uint8_t>::New(env, lookup_->results().size() * sizeof(int32_t) + value_bytes);
  uint8_t *lengths = packed.Data();
  uint8_t *values = lengths + lookup_->results().size() * sizeof(int32_t);
  for (const LookupResult &result : lookup_->results()) {
    int32_t length = result.deleted ? kValueDeleted : kValueNotFound;
    if (result.found) length = static_cast<int32_t>(result.value.size());
    memcpy(lengths, &length, sizeof(length));
    lengths += sizeof(length);
    values = std::copy(result.value.begin(), result.value.end(), values);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("packed", packed);
  return object;
}

Napi::Object FailureToJs(Napi::Env env, const Failure &failure, const TableFile *failed_in) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", NameOf(failure.kind));
  object.Set("number", failure.number);
  object.Set("offset", static_cast<double>(failure.offset));
  object.Set("detail", failure.detail);
  if (failed_in != nullptr) object.Set("path", failed_in->path());
  return object;
}

}  // namespace exopool
