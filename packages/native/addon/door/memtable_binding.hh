// SPDX-License-Identifier: Apache-2.0
// A memtable, for the bindings that take one from JavaScript.
#pragma once

#include <napi.h>

#include <memory>

#include "store/memtable.hh"

namespace exopool {

// Empty once JavaScript has closed it; a reader holds a reference of its own.
using MemtableHandle = std::shared_ptr<Memtable>;

inline const MemtableHandle &MemtableOf(const Napi::Value &value) {
  return *value.As<Napi::External<MemtableHandle>>().Data();
}

}  // namespace exopool
