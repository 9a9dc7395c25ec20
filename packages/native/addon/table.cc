// SPDX-License-Identifier: Apache-2.0
#include "binding.hh"

namespace exopool {

void RegisterTable(Napi::Env, Napi::Object) {}

}  // namespace exopool
