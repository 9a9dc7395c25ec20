// SPDX-License-Identifier: Apache-2.0
#include "engines/extent_pin.hh"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engines/extent_snapshot.hh"

namespace exopool {
namespace {

constexpr char kMark[] = "user.exopool.pinned";

int Lock(int fd, int how) {
  int status;
  do {
    status = flock(fd, how);
  } while (status != 0 && errno == EINTR);
  return status == 0 ? 0 : errno;
}

int SetImmutable(int fd, bool immutable) {
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return errno;
  flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 ? 0 : errno;
}

bool IsImmutable(int fd) {
  int flags = 0;
  return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_IMMUTABLE_FL) != 0;
}

// The last change of the file or its attributes. On an immutable file only removing that attribute changes it.
timespec ChangeOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ctim : timespec{};
}

bool IsSame(const timespec &a, const timespec &b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

// Sets the attribute, and the mark that it is ours; no mark if it was already set.
int MakeImmutable(int fd) {
  if (IsImmutable(fd)) return 0;
  if (fsetxattr(fd, kMark, "", 0, 0) != 0) return errno;
  return SetImmutable(fd, true);
}

// Releases a table's pin with the table.
class PinOfTable : public TableAttachment {
 public:
  explicit PinOfTable(const TableFile *table) : table_(table) {}
  ~PinOfTable() override { ExtentPins::Get().Unpin(table_); }
  PinOfTable(const PinOfTable &) = delete;
  PinOfTable &operator=(const PinOfTable &) = delete;

 private:
  const TableFile *table_;
};

}  // namespace

ExtentPins &ExtentPins::Get() {
  static ExtentPins *pins = new ExtentPins();
  return *pins;
}

void ExtentPins::Use(exo_extent *extents, uint64_t *snapshots) {
  std::lock_guard<std::mutex> lock(mutex_);
  extents_ = extents;
  snapshots_ = snapshots;
}

std::string ExtentPins::Pin(TableFile *table) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (snapshots_ == nullptr) return "no program reads extents";
  if (pinned_.count(table) != 0) return "";
  int fd = table->read_fd();
  Pinned pinned;
  pinned.fd = fd;
  std::string refusal = Hold(fd);
  if (!refusal.empty()) return refusal;
  pinned.changed = ChangeOf(fd);
  refusal = Place(fd, &pinned);
  if (!refusal.empty()) {
    Release(fd);
    return refusal;
  }
  pinned_.emplace(table, pinned);
  if (table->attachment(Engine::kNvmeBpf) == nullptr)
    table->Attach(Engine::kNvmeBpf, std::make_unique<PinOfTable>(table));
  return "";
}

std::string ExtentPins::Hold(int fd) {
  if (fsync(fd) != 0) return std::string("it cannot be synced: ") + strerror(errno);
  if (int error = Lock(fd, LOCK_SH)) return std::string("it cannot be locked: ") + strerror(error);
  int error = MakeImmutable(fd);
  if (error == 0) return "";
  Release(fd);
  return std::string("it cannot be made immutable: ") + strerror(error);
}

// Puts the file's extents into the program's maps.
std::string ExtentPins::Place(int fd, Pinned *pinned) {
  ExtentSnapshot snapshot;
  std::string refusal = TakeExtentSnapshot(fd, &snapshot);
  if (!refusal.empty()) return refusal;
  auto [device, is_new] = devices_.try_emplace(snapshot.device, -1);
  if (device->second < 0) device->second = open(snapshot.device.c_str(), O_RDONLY | O_CLOEXEC);
  if (device->second < 0) return snapshot.device + " cannot be opened: " + strerror(errno);

  std::set<uint32_t> slots;
  for (const auto &[table, other] : pinned_) slots.insert(other.slot);
  while (slots.count(pinned->slot) != 0) pinned->slot++;
  pinned->extents = static_cast<uint32_t>(snapshot.extents.size());
  if (pinned->slot >= EXO_SNAPSHOTS_MAX || !FindRoom(pinned->extents, &pinned->extent))
    return "too many files or extents are pinned already";
  pinned->device_fd = device->second;
  pinned->namespace_id = snapshot.namespace_id;
  pinned->lba_shift = snapshot.lba_shift;
  if (++generation_ == 0) generation_ = 1;
  pinned->generation = generation_;
  std::copy(snapshot.extents.begin(), snapshot.extents.end(), extents_ + pinned->extent);
  SetGeneration(pinned->slot, generation_);
  return "";
}

// Zero: chains that still look at the slot come back stale.
void ExtentPins::SetGeneration(uint32_t slot, uint32_t generation) {
  __atomic_store_n(&snapshots_[slot], uint64_t{generation}, __ATOMIC_SEQ_CST);
}

// The first gap between the extents of other files.
bool ExtentPins::FindRoom(uint32_t count, uint32_t *first) const {
  std::vector<std::pair<uint32_t, uint32_t>> used;
  for (const auto &[table, other] : pinned_) used.emplace_back(other.extent, other.extent + other.extents);
  std::sort(used.begin(), used.end());
  *first = 0;
  for (const auto &[begin, end] : used) {
    if (begin >= *first + count) return true;
    *first = std::max(*first, end);
  }
  return *first + count <= EXO_LOOP_EXTENTS_MAX;
}

void ExtentPins::Unpin(const TableFile *table) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = pinned_.find(table);
  if (found == pinned_.end()) return;
  SetGeneration(found->second.slot, 0);
  int fd = found->second.fd;
  pinned_.erase(found);
  Release(fd);
}

int ExtentPins::Release(int fd) {
  // Other processes still hold it: the last one does this.
  if (Lock(fd, LOCK_EX | LOCK_NB) != 0) {
    Lock(fd, LOCK_UN);
    return 0;
  }
  int error = 0;
  if (fgetxattr(fd, kMark, nullptr, 0) >= 0) {
    error = SetImmutable(fd, false);
    if (error == 0 && fremovexattr(fd, kMark) != 0) error = errno;
  }
  Lock(fd, LOCK_UN);
  return error;
}

bool ExtentPins::Describe(const TableFile *table, exo_loop *loop) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = pinned_.find(table);
  if (found == pinned_.end()) return false;
  const Pinned &pinned = found->second;
  loop->fd = static_cast<__u32>(pinned.device_fd);
  loop->namespace_id = pinned.namespace_id;
  loop->lba_shift = pinned.lba_shift;
  loop->extent = pinned.extent;
  loop->extents = pinned.extents;
  loop->snapshot = pinned.slot;
  loop->generation = pinned.generation;
  return true;
}

bool ExtentPins::Holds(const TableFile *table, uint32_t generation) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = pinned_.find(table);
  if (found == pinned_.end() || found->second.generation != generation) return false;
  if (IsSame(found->second.changed, ChangeOf(found->second.fd))) return true;
  SetGeneration(found->second.slot, 0);
  return false;
}

}  // namespace exopool
