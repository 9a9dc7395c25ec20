// SPDX-License-Identifier: Apache-2.0
#include "backing_file.hh"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "page_seal.hh"

namespace exopool {
namespace {

off_t OffsetOf(uint64_t page) { return static_cast<off_t>(page * kPageBytes); }

int OpenUnnamed(const std::string &folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  // A file system that has only files with names.
  std::string name = folder + "/exopool-nbd-XXXXXX";
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

}  // namespace

BackingFile::BackingFile(const std::string &folder, uint64_t bytes) : fd_(OpenUnnamed(folder)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot make a file in " + folder);
  if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    const int error = errno;
    close(fd_);
    throw std::system_error(error, std::generic_category(), "cannot make a file of that size in " + folder);
  }
  direct_ = fcntl(fd_, F_SETFL, O_RDWR | O_DIRECT) == 0;
}

BackingFile::~BackingFile() {
  if (fd_ >= 0) close(fd_);
}

int BackingFile::Read(uint64_t page, uint32_t count, uint8_t *into) {
  size_t left = size_t{count} * kPageBytes;
  off_t at = OffsetOf(page);
  while (left > 0) {
    const ssize_t got = pread(fd_, into, left, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? EIO : errno;
    into += got;
    at += got;
    left -= static_cast<size_t>(got);
  }
  return 0;
}

int BackingFile::Write(uint64_t page, iovec *pages, uint32_t count) {
  off_t at = OffsetOf(page);
  while (count > 0) {
    const ssize_t wrote = pwritev(fd_, pages, static_cast<int>(count), at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote == 0 ? EIO : errno;
    // After a short write, go on from the last whole page.
    const auto whole = static_cast<uint32_t>(wrote / kPageBytes);
    if (whole == 0) return EIO;
    pages += whole;
    count -= whole;
    at += off_t{whole} * kPageBytes;
  }
  return 0;
}

int BackingFile::Sync() { return fdatasync(fd_) == 0 ? 0 : errno; }

void BackingFile::Punch(uint64_t page, uint64_t count) {
  // Without holes in the file system the space stays allocated, and is reused.
  [[maybe_unused]] const int punched = fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, OffsetOf(page),
                                                 static_cast<off_t>(count * kPageBytes));
}

}  // namespace exopool
