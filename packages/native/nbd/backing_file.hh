// SPDX-License-Identifier: Apache-2.0
// The local file behind the device: sparse, without a name, gone with the process. It is read and written past the page
// cache if the file system supports that, since pages of a swap device must not return to memory that way.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string>

namespace exopool {

class BackingFile {
 public:
  // In this folder. Throws std::system_error.
  BackingFile(const std::string &folder, uint64_t bytes);
  virtual ~BackingFile();
  BackingFile(const BackingFile &) = delete;
  BackingFile &operator=(const BackingFile &) = delete;

  bool direct() const { return direct_; }

  // Pages; memory aligned to a page. Each returns 0 or an errno.
  virtual int Read(uint64_t page, uint32_t count, uint8_t *into);
  virtual int Write(uint64_t page, iovec *pages, uint32_t count);
  virtual int Sync();
  // Frees the space; later reads there may return anything.
  virtual void Punch(uint64_t page, uint64_t count);

 protected:
  BackingFile() = default;

 private:
  int fd_ = -1;
  bool direct_ = false;
};

}  // namespace exopool
