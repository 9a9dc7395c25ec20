// SPDX-License-Identifier: Apache-2.0
// A file to chase pointers in: each block begins with the offset of another, chosen at random, and its own number.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace exopool {

[[noreturn]] inline void Die(const std::string &what) {
  perror(what.c_str());
  exit(1);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

struct Block {
  uint64_t next;
  uint64_t number;
};

// Writes and closes it, so that no process has it open for writing; then opens it for direct reads.
inline int MakeChaseFile(const std::string &path, uint64_t blocks, uint32_t block_bytes, uint64_t seed,
                         std::vector<Block> *content) {
  Random random(seed);
  content->resize(blocks);
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) Die(path);
  constexpr uint64_t kRun = 256;
  std::vector<uint8_t> buffer(kRun * block_bytes);
  for (uint64_t first = 0; first < blocks; first += kRun) {
    uint64_t run = blocks - first < kRun ? blocks - first : kRun;
    for (uint64_t i = 0; i < run; i++) {
      Block block{random.Below(blocks) * block_bytes, first + i};
      (*content)[first + i] = block;
      *reinterpret_cast<Block *>(buffer.data() + i * block_bytes) = block;
    }
    ssize_t wanted = static_cast<ssize_t>(run * block_bytes);
    if (pwrite(fd, buffer.data(), wanted, static_cast<off_t>(first * block_bytes)) != wanted) Die("pwrite");
  }
  if (fsync(fd) != 0) Die("fsync");
  close(fd);
  fd = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (fd < 0) Die(path);
  return fd;
}

}  // namespace exopool
