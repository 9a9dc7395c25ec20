// SPDX-License-Identifier: Apache-2.0
#include "binding.hh"

namespace exopool {

void RegisterSlabServer(Napi::Env, Napi::Object) {}

}  // namespace exopool
