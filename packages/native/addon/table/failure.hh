// SPDX-License-Identifier: Apache-2.0
// Why an operation on a file failed, and where in the file.
#pragma once

#include <cstdint>

namespace exopool {

struct Failure {
  // kNotInMemory never reaches JavaScript: a caller that tried memory alone retries with the disk.
  enum class Kind { kNone, kIo, kCorrupt, kVersion, kLimit, kNotInMemory };

  Kind kind = Kind::kNone;
  int number = 0;  // kIo: an errno; kVersion: the version of the file
  uint64_t offset = 0;
  const char *detail = "";

  explicit operator bool() const { return kind != Kind::kNone; }
  static Failure Io(int error_number, uint64_t offset) { return {Kind::kIo, error_number, offset, "cannot be read"}; }
  static Failure EndOfFile(uint64_t offset) { return Corrupt(offset, "the file ends here, before its header says"); }
  static Failure Corrupt(uint64_t offset, const char *detail) { return {Kind::kCorrupt, 0, offset, detail}; }
};

}  // namespace exopool
