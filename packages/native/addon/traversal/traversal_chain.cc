// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_chain.hh"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace exopool {

thread_local UserChain *UserChain::current_ = nullptr;

TraversalTwin::~TraversalTwin() {
  if (handle_ != nullptr) dlclose(handle_);
}

std::string TraversalTwin::Open(const std::string &path) {
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) return dlerror();
  auto abi = static_cast<const unsigned *>(dlsym(handle_, "exo_traversal_abi"));
  using Giver = int (*)(traversal *, uint32_t, uint32_t);
  auto open = reinterpret_cast<void (*)(Giver)>(dlsym(handle_, "exo_traversal_open"));
  first_ = reinterpret_cast<decltype(first_)>(dlsym(handle_, "exo_traversal_first"));
  next_ = reinterpret_cast<decltype(next_)>(dlsym(handle_, "exo_traversal_next"));
  if (abi == nullptr || *abi != TRAVERSAL_ABI || open == nullptr || first_ == nullptr || next_ == nullptr)
    return path + " was not built for this exopool";
  open(UserChain::Give);
  return "";
}

void UserChain::Begin(const TraversalTwin &twin, const std::string &input) {
  memset(t(), 0, offsetof(traversal, block));
  memcpy(t()->input, input.data(), input.size());
  t()->input_len = static_cast<uint32_t>(input.size());
  control_ = {};
  control_.input_sum = exo_input_sum(t());
  value_.clear();
  seen_ = 0;
  error_ = 0;
  current_ = this;
  control_.offset = twin.First(t());
}

void UserChain::Resume(const std::string &input, const traversal &from, const exo_control &control) {
  memset(t(), 0, offsetof(traversal, block));
  memcpy(t()->input, input.data(), input.size());
  t()->input_len = static_cast<uint32_t>(input.size());
  control_ = control;
  control_.end = 0;
  memcpy(t()->state, control.state, sizeof(t()->state));
  size_t length = std::min<size_t>(control.result_len, TRAVERSAL_RESULT_MAX);
  value_.assign(reinterpret_cast<const char *>(from.result), length);
  seen_ = control.offset;
  error_ = 0;
}

bool UserChain::End(int end) {
  control_.end = static_cast<uint32_t>(end);
  return end == 0;
}

bool UserChain::Admit(uint64_t file_size, uint32_t hops_max) { return End(exo_admit(&control_, file_size, hops_max)); }

bool UserChain::Hop(const TraversalTwin &twin, uint64_t file_size, int64_t got) {
  auto wanted = static_cast<int64_t>(std::min<uint64_t>(file_size - control_.offset, TRAVERSAL_BLOCK_BYTES));
  seen_ = control_.offset;
  if (got < wanted) {
    error_ = got < 0 ? static_cast<int>(-got) : EIO;
    return End(EXO_TRAVERSAL_IO);
  }
  memset(t()->block + wanted, 0, static_cast<size_t>(TRAVERSAL_BLOCK_BYTES - wanted));
  t()->offset = control_.offset;
  t()->file_size = file_size;
  t()->block_len = static_cast<uint32_t>(wanted);
  control_.hops++;
  current_ = this;
  int end = exo_judge(&control_, t(), twin.Next(t()));
  // No other place has more room.
  return End(end == TRAVERSAL_USER ? static_cast<int>(TRAVERSAL_FAIL) : end);
}

int UserChain::Give(traversal *t, uint32_t at, uint32_t length) {
  UserChain *chain = current_;
  if (t != chain->t() || at > TRAVERSAL_BLOCK_BYTES || length > TRAVERSAL_BLOCK_BYTES - at) return -1;
  if (length > kTraversalResultMax - chain->value_.size()) return -1;
  chain->value_.append(reinterpret_cast<const char *>(t->block) + at, length);
  return 0;
}

void UserChain::TakeResult(TraversalResult *result) {
  bool has_seen = control_.end == TRAVERSAL_FAIL || control_.end == EXO_TRAVERSAL_WROTE_INPUT;
  result->end = control_.end;
  result->hops = control_.hops;
  result->offset = has_seen ? seen_ : control_.offset;
  result->error = error_;
  if (control_.end == TRAVERSAL_DONE) result->value = std::move(value_);
}

}  // namespace exopool
