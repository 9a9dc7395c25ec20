// SPDX-License-Identifier: Apache-2.0
// Files whose extents the kernel-side program uses, so the extents must not move.
//
// A pinned file carries the immutable attribute: writing, truncating, punching, renaming, unlinking and defragmenting
// it are refused by the file system. An extended attribute marks it as ours, and each user holds a shared flock, so the
// last process removes it:
//
//   pin     lock; mark, immutable (unless it was); sync; extents -> maps; generation -> its slot
//   unpin   0 -> the slot, so chains in flight come back stale; last one: not immutable, no mark; unlock
//
// Root can remove the attribute from a file in use. That changes the time of the file's last change, which is compared
// after each batch: the batch's results do not count then, and later chains come back stale.
//
// A killed process leaves the attribute behind; Release removes it once no process holds the lock.
#pragma once

#include <time.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "loop.h"
#include "table/table_file.hh"

namespace exopool {

class ExtentPins {
 public:
  static ExtentPins &Get();

  // Where the program in the kernel finds extents and generations. Once, before the first pin.
  void Use(exo_extent *extents, uint64_t *snapshots);
  // Empty, or why the file cannot be pinned. Idempotent for a pinned file.
  std::string Pin(TableFile *table);
  // Nothing for a file that is not pinned.
  void Unpin(const TableFile *table);
  // Syncs an open file and keeps it where it is, until Release. Empty, or why it cannot be.
  static std::string Hold(int fd);
  // Removes the attribute that a killed process has left on a file. Zero or an errno.
  static int Release(int fd);

  // Fills in the batch's part about the device. False when the file is not pinned.
  bool Describe(const TableFile *table, exo_loop *loop);
  // Whether the pin that Describe saw still holds, with its attribute.
  bool Holds(const TableFile *table, uint32_t generation);

 private:
  struct Pinned {
    int fd = -1;  // the table's
    int device_fd = -1;
    uint32_t namespace_id = 0, lba_shift = 0;
    uint32_t extent = 0, extents = 0;  // in the map
    uint32_t slot = 0, generation = 0;
    timespec changed{};  // the file's last change, as of the pin
  };

  std::string Place(int fd, Pinned *pinned);
  void SetGeneration(uint32_t slot, uint32_t generation);
  bool FindRoom(uint32_t count, uint32_t *first) const;

  std::mutex mutex_;
  exo_extent *extents_ = nullptr;
  uint64_t *snapshots_ = nullptr;
  std::map<const TableFile *, Pinned> pinned_;
  std::map<std::string, int> devices_;  // descriptors of character devices; they stay open
  uint32_t generation_ = 0;
};

}  // namespace exopool
