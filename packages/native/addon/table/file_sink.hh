// SPDX-License-Identifier: Apache-2.0
// A file written from front to back in large pieces.
//
// The output of a flush or a merge is read later, if ever, and must not evict useful pages from the page cache. So it
// goes past the cache (O_DIRECT), which also leaves the final sync little to do. If the file system does not support
// that, each piece is sent to the disk at once, and dropped from the cache a few pieces later, when it is on disk.
//
//   |  dropped  |  on its way: kPiecesOnTheWay  |  open piece: filled ... free  |
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/aligned_bytes.hh"
#include "table/failure.hh"
#include "table_format.h"

namespace exopool {

class FileSink {
 public:
  // Creates the file, which must not exist. The first bytes go to offset `start`. Null with a failure.
  static std::unique_ptr<FileSink> Create(const std::string &path, uint64_t start, bool keep_cached, Failure *failure);
  // Removes the file unless Keep was called.
  ~FileSink();
  FileSink(const FileSink &) = delete;
  FileSink &operator=(const FileSink &) = delete;

  // File offset of the next byte.
  uint64_t position() const { return written_ + filled_; }

  // The file's next page, all zeroes, to be filled before the next call.
  Failure Page(uint8_t **page);
  // Copies the bytes, and fills the last page up with zeroes.
  Failure Pages(std::string_view bytes);
  // Writes the piece that is not full. Only WriteAt may follow, of whole pages that are aligned for direct I/O.
  Failure Flush();
  Failure WriteAt(uint64_t offset, const uint8_t *bytes, size_t length);
  Failure Sync();
  void Keep() { keep_ = true; }

 private:
  FileSink(std::string path, uint64_t start, bool keep_cached);
  int Open(int flags);
  Failure WritePiece();
  Failure SendToDisk(uint64_t from, uint64_t length);
  Failure SyncRange(uint64_t from, uint64_t length, unsigned flags);

  std::string path_;
  int fd_ = -1;
  uint64_t start_;
  uint64_t written_;
  bool keep_cached_;
  bool direct_ = false;
  bool keep_ = false;
  AlignedBytes piece_;
  size_t filled_ = 0;
};

}  // namespace exopool
