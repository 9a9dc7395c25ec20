// SPDX-License-Identifier: Apache-2.0
#include "binding.hh"

namespace exopool {

void RegisterSealing(Napi::Env, Napi::Object) {}

}  // namespace exopool
