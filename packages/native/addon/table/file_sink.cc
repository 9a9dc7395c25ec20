// SPDX-License-Identifier: Apache-2.0
#include "table/file_sink.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace exopool {
namespace {

// Larger writes cost the disk no less per byte.
constexpr size_t kPieceBytes = 1u << 20;
// Enough to keep a disk busy while the next pieces are made.
constexpr uint64_t kPiecesOnTheWay = 4;

}  // namespace

FileSink::FileSink(std::string path, uint64_t start, bool keep_cached)
    : path_(std::move(path)),
      start_(start),
      written_(start),
      keep_cached_(keep_cached),
      piece_(AllocateAligned(kPieceBytes)) {
  if (piece_ != nullptr) memset(piece_.get(), 0, kPieceBytes);
}

std::unique_ptr<FileSink> FileSink::Create(const std::string &path, uint64_t start, bool keep_cached,
                                           Failure *failure) {
  std::unique_ptr<FileSink> sink(new FileSink(path, start, keep_cached));
  if (sink->piece_ == nullptr) {
    *failure = Failure::Io(ENOMEM, 0);
    return nullptr;
  }
  int fd = keep_cached ? -1 : sink->Open(O_DIRECT);
  sink->direct_ = fd >= 0;
  // Some file systems refuse direct writes here, after creating the file; others at the first write.
  if (!sink->direct_ && (keep_cached || errno == EINVAL)) {
    if (!keep_cached) unlink(path.c_str());
    fd = sink->Open(0);
  }
  sink->fd_ = fd;
  if (fd >= 0) return sink;
  *failure = Failure::Io(errno, 0);
  return nullptr;
}

int FileSink::Open(int flags) {
  int fd;
  do {
    fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0666);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

FileSink::~FileSink() {
  if (fd_ < 0) return;
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
  if (Failure failure = SendToDisk(written_, filled_)) return failure;
  written_ += filled_;
  memset(piece_.get(), 0, filled_);
  filled_ = 0;
  return {};
}

// Keeps the page cache small. The kernel reports a failed write to the disk once for each open file. A caller that
// ignores it here gets no error from the final sync.
Failure FileSink::SendToDisk(uint64_t from, uint64_t length) {
  if (keep_cached_ || direct_) return {};
  if (Failure failure = SyncRange(from, length, SYNC_FILE_RANGE_WRITE)) return failure;
  if (from < start_ + kPiecesOnTheWay * kPieceBytes) return {};
  uint64_t old = from - kPiecesOnTheWay * kPieceBytes;
  constexpr unsigned kWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  if (Failure failure = SyncRange(old, kPieceBytes, kWait)) return failure;
  posix_fadvise(fd_, static_cast<off_t>(old), kPieceBytes, POSIX_FADV_DONTNEED);
  return {};
}

Failure FileSink::SyncRange(uint64_t from, uint64_t length, unsigned flags) {
  if (sync_file_range(fd_, static_cast<off_t>(from), static_cast<off_t>(length), flags) == 0) return {};
  // If the call is missing or forbidden, nothing was reported either.
  if (errno == ENOSYS || errno == EPERM || errno == EINVAL || errno == ESPIPE) return {};
  return Failure::Io(errno, from);
}

Failure FileSink::Flush() { return filled_ == 0 ? Failure() : WritePiece(); }

Failure FileSink::WriteAt(uint64_t offset, const uint8_t *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t put = pwrite(fd_, bytes + done, length - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EINVAL && direct_) {
      direct_ = false;
      fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) & ~O_DIRECT);
      continue;
    }
    if (put < 0) return Failure::Io(errno, offset + done);
    done += static_cast<size_t>(put);
  }
  return {};
}

Failure FileSink::Sync() {
  if (fdatasync(fd_) != 0) return Failure::Io(errno, 0);
  if (!keep_cached_ && !direct_) posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

}  // namespace exopool
