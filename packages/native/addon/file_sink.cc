// SPDX-License-Identifier: Apache-2.0
#include "file_sink.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace exopool {
namespace {

// A write of this size costs the disk as little a byte as a larger one.
constexpr size_t kPieceBytes = 1u << 20;
// Enough to keep a disk busy while the next pieces are made.
constexpr uint64_t kPiecesOnTheWay = 4;

}  // namespace

FileSink::FileSink(std::string path, int fd, uint64_t start, bool keep_cached)
    : path_(std::move(path)), fd_(fd), start_(start), written_(start), keep_cached_(keep_cached),
      piece_(AllocateAligned(kPieceBytes)) {
  if (piece_ != nullptr) memset(piece_.get(), 0, kPieceBytes);
}

std::unique_ptr<FileSink> FileSink::Create(const std::string &path, uint64_t start, bool keep_cached,
                                           Failure *failure) {
  int fd;
  do {
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    *failure = Failure::Io(errno, 0);
    return nullptr;
  }
  std::unique_ptr<FileSink> sink(new (std::nothrow) FileSink(path, fd, start, keep_cached));
  if (sink == nullptr || sink->piece_ == nullptr) {
    *failure = Failure::Io(ENOMEM, 0);
    return nullptr;
  }
  return sink;
}

FileSink::~FileSink() {
  close(fd_);
  if (!keep_) unlink(path_.c_str());
}

Failure FileSink::Page(uint8_t **page) {
  if (filled_ == kPieceBytes) {
    if (Failure failure = WritePiece()) return failure;
  }
  *page = piece_.get() + filled_;
  filled_ += EXO_PAGE_SIZE;
  return {};
}

Failure FileSink::Pages(std::string_view bytes) {
  while (!bytes.empty()) {
    if (filled_ == kPieceBytes) {
      if (Failure failure = WritePiece()) return failure;
    }
    size_t length = std::min(bytes.size(), kPieceBytes - filled_);
    memcpy(piece_.get() + filled_, bytes.data(), length);
    bytes.remove_prefix(length);
    filled_ += (length + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE * EXO_PAGE_SIZE;
  }
  return {};
}

Failure FileSink::WritePiece() {
  if (Failure failure = WriteAt(written_, piece_.get(), filled_)) return failure;
  SendToDisk(written_, filled_);
  written_ += filled_;
  memset(piece_.get(), 0, filled_);
  filled_ = 0;
  return {};
}

// Hints, so failures do not count: the final sync tells.
void FileSink::SendToDisk(uint64_t from, uint64_t length) {
  if (keep_cached_) return;
  sync_file_range(fd_, static_cast<off_t>(from), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
  if (from < start_ + kPiecesOnTheWay * kPieceBytes) return;
  auto old = static_cast<off_t>(from - kPiecesOnTheWay * kPieceBytes);
  sync_file_range(fd_, old, kPieceBytes,
                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  posix_fadvise(fd_, old, kPieceBytes, POSIX_FADV_DONTNEED);
}

Failure FileSink::Flush() { return filled_ == 0 ? Failure() : WritePiece(); }

Failure FileSink::WriteAt(uint64_t offset, const uint8_t *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t put = pwrite(fd_, bytes + done, length - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Failure::Io(errno, offset + done);
    done += static_cast<size_t>(put);
  }
  return {};
}

Failure FileSink::Sync() {
  if (fdatasync(fd_) != 0) return Failure::Io(errno, 0);
  if (!keep_cached_) posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

}  // namespace exopool
