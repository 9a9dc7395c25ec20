// SPDX-License-Identifier: Apache-2.0
// How a memtable looks to the parts of the addon that take one from JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "store/memtable.hh"

namespace exopool {

// Empty once JavaScript has closed it; who reads it meanwhile holds it for himself.
using MemtableHandle = std::shared_ptr<Memtable>;

inline const MemtableHandle &MemtableOf(const Napi::Value &value) {
  return *value.As<Napi::External<MemtableHandle>>().Data();
}

}  // namespace exopool
