// SPDX-License-Identifier: Apache-2.0
// Where a file lies on its NVMe device: FIEMAP's extents as bytes from the start of the namespace.
//
//   file --FIEMAP--> extents in the partition --+ start of the partition--> extents in the namespace
//
// Only data that can be read past the file system is accepted: plain, written, unencrypted data of ext4 or XFS, on one
// NVMe namespace. Anything else is refused with its reason.
#pragma once

#include <linux/fiemap.h>

#include <cstdint>
#include <string>
#include <vector>

#include "loop.h"

namespace exopool {

struct ExtentSnapshot {
  std::vector<exo_extent> extents;  // sorted; contiguous neighbours are merged
  std::string device;               // the namespace's character device
  uint32_t namespace_id = 0;
  uint32_t lba_shift = 0;
};

// Reads the snapshot of an open file whose data is on disk. Empty, or why it cannot be taken.
std::string TakeExtentSnapshot(int fd, ExtentSnapshot *snapshot);

// Adds extents as FIEMAP gives them, in order. Empty, or why one of them cannot be read past the file system.
std::string AppendExtents(const fiemap_extent *from, size_t count, uint64_t partition_start,
                          std::vector<exo_extent> *extents);

}  // namespace exopool
