// SPDX-License-Identifier: Apache-2.0
#include "engines/extent_snapshot.hh"

#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace exopool {
namespace {

constexpr unsigned kExtentsACall = 256;
// The unit of a partition's start in sysfs, whatever the device's block size.
constexpr uint64_t kSectorBytes = 512;
// From linux/magic.h of newer headers.
constexpr long kXfsMagic = 0x58465342;

std::string ReadLine(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The resolved path of /sys/dev/block/MAJOR:MINOR; empty if the file is on no block device.
std::string DeviceFolder(dev_t device) {
  std::string link = "/sys/dev/block/" + std::to_string(major(device)) + ":" + std::to_string(minor(device));
  char path[PATH_MAX];
  return realpath(link.c_str(), path) == nullptr ? "" : path;
}

bool JournalsData(dev_t device) {
  std::string number = " " + std::to_string(major(device)) + ":" + std::to_string(minor(device)) + " ";
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(number) != std::string::npos && line.find("data=journal") != std::string::npos) return true;
  }
  return false;
}

std::string CheckFileSystem(int fd, dev_t device) {
  struct statfs system;
  if (fstatfs(fd, &system) != 0) return strerror(errno);
  if (system.f_type != EXT4_SUPER_MAGIC && system.f_type != kXfsMagic)
    return "only ext4 and XFS keep a file's blocks where they are";
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return std::string("its flags: ") + strerror(errno);
  if ((flags & FS_ENCRYPT_FL) != 0) return "the file is encrypted";
  if ((flags & FS_JOURNAL_DATA_FL) != 0 || JournalsData(device)) return "the file's data goes to the journal";
  fsxattr attributes{};
  if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 && (attributes.fsx_xflags & FS_XFLAG_REALTIME) != 0)
    return "the file is on XFS's realtime device";
  return "";
}

std::string FindNamespace(dev_t device, ExtentSnapshot *snapshot, uint64_t *partition_start) {
  std::string folder = DeviceFolder(device);
  if (folder.empty()) return "the file is not on a block device of its own";
  std::string start = ReadLine(folder + "/partition").empty() ? "" : ReadLine(folder + "/start");
  *partition_start = start.empty() ? 0 : strtoull(start.c_str(), nullptr, 10) * kSectorBytes;
  if (!start.empty()) folder.resize(folder.rfind('/'));
  std::string name = folder.substr(folder.rfind('/') + 1);
  std::string id = ReadLine(folder + "/nsid");
  if (name.rfind("nvme", 0) != 0 || id.empty()) return "the file is on " + name + ", which is no NVMe namespace";
  std::string metadata = ReadLine(folder + "/metadata_bytes");
  if (!metadata.empty() && metadata != "0") return name + " has blocks with metadata";
  snapshot->device = "/dev/ng" + name.substr(strlen("nvme"));
  snapshot->namespace_id = static_cast<uint32_t>(strtoul(id.c_str(), nullptr, 10));
  unsigned long block_bytes = strtoul(ReadLine(folder + "/queue/logical_block_size").c_str(), nullptr, 10);
  if (block_bytes < kSectorBytes || block_bytes > EXO_PAGE_SIZE || (block_bytes & (block_bytes - 1)) != 0)
    return name + " has logical blocks of " + std::to_string(block_bytes) + " bytes";
  snapshot->lba_shift = static_cast<uint32_t>(__builtin_ctzl(block_bytes));
  return "";
}

std::string ReadExtents(int fd, uint64_t partition_start, std::vector<exo_extent> *extents) {
  std::vector<uint64_t> memory((sizeof(fiemap) + kExtentsACall * sizeof(fiemap_extent)) / sizeof(uint64_t));
  auto *map = reinterpret_cast<fiemap *>(memory.data());
  for (uint64_t start = 0;;) {
    memset(map, 0, sizeof(*map));
    map->fm_start = start;
    map->fm_length = FIEMAP_MAX_OFFSET - start;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = kExtentsACall;
    if (ioctl(fd, FS_IOC_FIEMAP, map) != 0) return std::string("its extents: ") + strerror(errno);
    unsigned count = map->fm_mapped_extents;
    if (count == 0) return "";
    std::string refusal = AppendExtents(map->fm_extents, count, partition_start, extents);
    const fiemap_extent &last = map->fm_extents[count - 1];
    if (!refusal.empty() || (last.fe_flags & FIEMAP_EXTENT_LAST) != 0) return refusal;
    start = last.fe_logical + last.fe_length;
  }
}

}  // namespace

std::string AppendExtents(const fiemap_extent *from, size_t count, uint64_t partition_start,
                          std::vector<exo_extent> *extents) {
  struct Obstacle {
    unsigned flags;
    const char *text;
  };
  static constexpr Obstacle kObstacles[] = {
      {FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC, "part of the file has no place yet"},
      {FIEMAP_EXTENT_DATA_ENCRYPTED, "part of the file is encrypted"},
      {FIEMAP_EXTENT_ENCODED, "part of the file is encoded"},
      {FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_NOT_ALIGNED,
       "part of the file shares a block with something else"},
      {FIEMAP_EXTENT_UNWRITTEN, "part of the file is allocated and not written"},
  };
  for (size_t i = 0; i < count; i++) {
    for (const Obstacle &obstacle : kObstacles)
      if ((from[i].fe_flags & obstacle.flags) != 0) return obstacle.text;
    exo_extent extent = {from[i].fe_logical, from[i].fe_length, partition_start + from[i].fe_physical};
    exo_extent *last = extents->empty() ? nullptr : &extents->back();
    if (last != nullptr && extent.file_offset < last->file_offset + last->bytes)
      return "the file system contradicts itself about the file's extents";
    if (last != nullptr && last->file_offset + last->bytes == extent.file_offset &&
        last->device_offset + last->bytes == extent.device_offset)
      last->bytes += extent.bytes;
    else
      extents->push_back(extent);
    if (extents->size() > EXO_LOOP_EXTENTS_MAX) return "the file is in too many pieces";
  }
  return "";
}

std::string TakeExtentSnapshot(int fd, ExtentSnapshot *snapshot) {
  struct stat status;
  if (fstat(fd, &status) != 0) return strerror(errno);
  uint64_t partition_start = 0;
  std::string refusal = FindNamespace(status.st_dev, snapshot, &partition_start);
  if (refusal.empty()) refusal = CheckFileSystem(fd, status.st_dev);
  if (refusal.empty()) refusal = ReadExtents(fd, partition_start, &snapshot->extents);
  return refusal;
}

}  // namespace exopool
