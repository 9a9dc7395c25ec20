// SPDX-License-Identifier: Apache-2.0
#include "store/memtable_source.hh"

namespace exopool {

Failure MemtableSource::Start() {
  if (bounds_.reverse) {
    if (bounds_.has_upper) {
      // The last key below the bound, unless the bound itself exists and counts.
      cursor_.Seek(bounds_.upper);
      if (!cursor_.valid() || bounds_.IsAbove(cursor_.key())) cursor_.SeekBefore(bounds_.upper);
    } else {
      cursor_.SeekLast();
    }
  } else if (bounds_.has_lower) {
    cursor_.Seek(bounds_.lower);
    if (cursor_.valid() && bounds_.IsBelow(cursor_.key())) cursor_.Next();
  } else {
    cursor_.SeekFirst();
  }
  return Settle();
}

Failure MemtableSource::Next() {
  if (bounds_.reverse)
    cursor_.Previous();
  else
    cursor_.Next();
  return Settle();
}

Failure MemtableSource::Settle() {
  bool is_inside =
      cursor_.valid() && !(bounds_.reverse ? bounds_.IsBelow(cursor_.key()) : bounds_.IsAbove(cursor_.key()));
  if (is_inside)
    StandOn(cursor_.key(), cursor_.deleted());
  else
    End();
  return {};
}

Failure MemtableSource::Value(std::string_view *value) {
  *value = cursor_.value();
  return {};
}

}  // namespace exopool
