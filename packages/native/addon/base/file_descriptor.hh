// SPDX-License-Identifier: Apache-2.0
// A file descriptor with one owner, which closes it.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace exopool {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(FileDescriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // Does not change errno.
  void Close() {
    if (fd_ < 0) return;
    const int error = errno;
    close(std::exchange(fd_, -1));
    errno = error;
  }

 private:
  int fd_;
};

}  // namespace exopool
