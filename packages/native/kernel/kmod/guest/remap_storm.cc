// SPDX-License-Identifier: Apache-2.0
// Chains run while the file's blocks are moved, freed and reused: remap_storm FOLDER OBJECT ROUNDS
//
// One process changes the file in every way that the file system offers: truncation, hole punching, collapsed and
// inserted ranges, new files under its name, defragmentation, clones. After each change it fills the device's free
// space with foreign blocks, so that a block that was freed soon holds them. Foreign blocks point out of the file and
// have a number that no block of the file has. The other process walks chains without pause, and a chain that ever sees
// a foreign block ends the test with 1. Refused and stale batches are counted; both sides must get through.
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "chase_file.hh"
#include "engines/driver_client.hh"

using namespace exopool;

namespace {

constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kBlocks = 512;
constexpr uint64_t kForeign = 1ull << 63;
constexpr uint32_t kHops = 6;

struct Progress {
  volatile uint64_t rounds, failed_changes;
  volatile bool over;
};

// As linux/ext4.h has it, which is no header for programs.
struct MoveExtent {
  uint32_t reserved, donor_fd;
  uint64_t orig_start, donor_start, len, moved_len;
};
#define EXT4_IOC_MOVE_EXT _IOWR('f', 15, struct MoveExtent)

void WriteBlocks(int fd, uint64_t first, uint64_t count, Random *random, bool foreign) {
  std::vector<uint8_t> buffer(count * kBlockBytes);
  for (uint64_t i = 0; i < count; i++) {
    Block block{foreign ? ~0ull - kBlockBytes + 1 : random->Below(kBlocks) * kBlockBytes,
                foreign ? kForeign : first + i};
    for (size_t at = 0; at < kBlockBytes; at += sizeof(block))
      memcpy(&buffer[i * kBlockBytes + at], &block, sizeof(block));
  }
  if (pwrite(fd, buffer.data(), buffer.size(), static_cast<off_t>(first * kBlockBytes)) < 0) Die("pwrite");
}

int OpenFile(const std::string &path, int flags) {
  int fd = open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) Die(path);
  return fd;
}

void MakeWhole(const std::string &path, Random *random) {
  int fd = OpenFile(path, O_RDWR);
  // In two steps and backwards, so that extents differ from round to round.
  if (random->Below(2) == 0) {
    WriteBlocks(fd, kBlocks / 2, kBlocks / 2, random, false);
    fdatasync(fd);
  }
  WriteBlocks(fd, 0, kBlocks, random, false);
  fdatasync(fd);
  close(fd);
}

// Takes what was freed: a file of foreign blocks, on disk before the next change.
void TakeFreed(const std::string &folder, Random *random) {
  std::string path = folder + "/foreign";
  unlink(path.c_str());
  int fd = OpenFile(path, O_RDWR);
  for (uint64_t at = 0; at < 2 * kBlocks; at += kBlocks) WriteBlocks(fd, at, kBlocks, random, true);
  fdatasync(fd);
  close(fd);
}

bool Defragment(const std::string &folder, int fd, Random *random) {
  std::string donor_path = folder + "/donor";
  int donor = OpenFile(donor_path, O_RDWR | O_TRUNC);
  bool moved = fallocate(donor, 0, 0, kBlocks * kBlockBytes) == 0;
  MoveExtent move{0, static_cast<uint32_t>(donor), 0, 0, kBlocks, 0};
  moved = moved && ioctl(fd, EXT4_IOC_MOVE_EXT, &move) == 0;
  // The donor has the old blocks now: overwrite them in place.
  if (moved) {
    WriteBlocks(donor, 0, kBlocks, random, true);
    fdatasync(donor);
  }
  close(donor);
  unlink(donor_path.c_str());
  return moved;
}

// Overwrites a clone's source, which copies its blocks elsewhere; the clone lets go of the old ones.
bool Clone(const std::string &folder, int fd, Random *random) {
  std::string path = folder + "/clone";
  int clone = OpenFile(path, O_RDWR | O_TRUNC);
  bool cloned = ioctl(clone, FICLONE, fd) == 0;
  if (cloned) {
    WriteBlocks(fd, 0, kBlocks, random, false);
    fdatasync(fd);
    WriteBlocks(clone, 0, kBlocks, random, true);
    fdatasync(clone);
  }
  close(clone);
  unlink(path.c_str());
  return cloned;
}

bool Change(const std::string &folder, const std::string &path, Random *random) {
  off_t at = static_cast<off_t>(random->Below(kBlocks / 2) * kBlockBytes);
  off_t length = static_cast<off_t>((1 + random->Below(kBlocks / 2)) * kBlockBytes);
  switch (random->Below(9)) {
    case 0:
      return truncate(path.c_str(), at) == 0;
    case 1:
      return unlink(path.c_str()) == 0;
    case 2: {
      MakeWhole(path + ".new", random);
      return rename((path + ".new").c_str(), path.c_str()) == 0;
    }
    default:
      break;
  }
  int fd = OpenFile(path, O_RDWR);
  bool done = false;
  switch (random->Below(6)) {
    case 0:
      done = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length) == 0;
      break;
    case 1:
      done = fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, at, kBlockBytes * 4) == 0;
      break;
    case 2:
      done = fallocate(fd, FALLOC_FL_INSERT_RANGE, at, length) == 0;
      break;
    case 3:
      done = fallocate(fd, FALLOC_FL_ZERO_RANGE, at, length) == 0;
      break;
    case 4:
      done = Defragment(folder, fd, random);
      break;
    default:
      done = Clone(folder, fd, random);
  }
  close(fd);
  return done;
}

[[noreturn]] void Mutate(const std::string &folder, const std::string &path, uint64_t rounds, Progress *progress) {
  Random random(11);
  for (uint64_t round = 0; round < rounds; round++) {
    if (!Change(folder, path, &random)) progress->failed_changes = progress->failed_changes + 1;
    TakeFreed(folder, &random);
    // A new file where the old one has shared extents for ever, or is gone.
    if (random.Below(4) == 0) unlink(path.c_str());
    MakeWhole(path, &random);
    progress->rounds = round + 1;
  }
  progress->over = true;
  _exit(0);
}

struct Counts {
  uint64_t done = 0, stale = 0, refused = 0, other = 0, batches = 0;
};

bool RunBatch(const DriverSession &session, exo_attach *attached, Random *random, Counts *counts) {
  exo_request requests[EXO_FLIGHTS_MAX] = {};
  uint32_t count = 1 + random->Below(EXO_FLIGHTS_MAX);
  for (uint32_t i = 0; i < count; i++) {
    requests[i].offset = random->Below(attached->bytes / kBlockBytes) * kBlockBytes;
    requests[i].scratch[0] = kHops;
  }
  exo_run run;
  if (session.Run(attached->file, EXO_MODE_BEST, kHops, requests, count, &run) != 0) Die("run");
  counts->batches++;
  for (uint32_t i = 0; i < count; i++) {
    if (requests[i].hops > 0 && (requests[i].scratch[1] & kForeign) != 0) {
      printf("a chain read a block outside the file, after %u hops\n", requests[i].hops);
      return false;
    }
    if (requests[i].end == EXO_END_DONE)
      counts->done++;
    else if (requests[i].end == EXO_END_STALE)
      counts->stale++;
    else
      counts->other++;  // a shortened file, or zeroes where a range was inserted
  }
  if (requests[0].end == EXO_END_STALE && session.Refresh(attached) != 0) counts->refused++;
  return true;
}

// Opens the file under its name again and again; uses each descriptor for some batches, also once it is unlinked.
int Walk(const std::string &path, uint64_t program, Progress *progress) {
  Random random(12);
  Counts counts;
  while (!progress->over) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    DriverSession session;
    exo_attach attached;
    if ((errno = session.Open()) != 0) Die(EXO_DRIVER_PATH);
    if (fd < 0 || session.Attach(fd, program, kBlockBytes, false, &attached) != 0) {
      counts.refused++;
      sched_yield();
    } else {
      for (int batch = 0; batch < 20; batch++)
        if (attached.bytes >= kBlockBytes && !RunBatch(session, &attached, &random, &counts)) return 1;
    }
    if (fd >= 0) close(fd);
  }
  auto u = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  printf(
      "%s remap storm: %llu rounds (%llu changes not to be had here), %llu batches: %llu chains done, %llu stale, "
      "%llu ended otherwise; %llu attachments refused; no block outside the file\n",
      counts.done > 0 && counts.stale > 0 ? "ok" : "too quiet,", u(progress->rounds), u(progress->failed_changes),
      u(counts.batches), u(counts.done), u(counts.stale), u(counts.other), u(counts.refused));
  return counts.done > 0 && counts.stale > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  std::string folder = argv[1], path = folder + "/storm";
  Obstacle obstacle;
  auto program = DriverProgram::Load(argv[2], "chase", 0, &obstacle);
  if (program == nullptr) Die(obstacle.reason);
  auto progress = static_cast<Progress *>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Random random(10);
  MakeWhole(path, &random);
  pid_t child = fork();
  if (child == 0) Mutate(folder, path, strtoull(argv[3], nullptr, 10), progress);
  int status = Walk(path, program->id(), progress);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return status;
}
