// SPDX-License-Identifier: Apache-2.0
// The driver's refusals, and the ends of chains that go astray: rules_check FOLDER OBJECT
//
// FOLDER is on ext4 or XFS, on a device of its own. Needs root. Exits with 1 at the first rule that does not hold.
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "chase_file.hh"
#include "engines/driver_client.hh"

using namespace exopool;

namespace {

constexpr uint32_t kBlockBytes = 4096;
constexpr uint64_t kBlocks = 64;
constexpr char kBudget[] = "/sys/module/exopool/parameters/budget";

int checks = 0;

void Check(bool holds, const std::string &rule) {
  checks++;
  if (holds) return;
  printf("broken: %s (errno %d, %s)\n", rule.c_str(), errno, strerror(errno));
  exit(1);
}

struct Test {
  std::string folder, path;
  uint64_t program = 0;
  std::vector<Block> content;

  int Make() { return MakeChaseFile(path, kBlocks, kBlockBytes, 3, &content); }
};

DriverSession *OpenSession() {
  auto session = new DriverSession();
  errno = session->Open();
  if (errno != 0) Die(EXO_DRIVER_PATH);
  return session;
}

// Attaches, expects a refusal, and closes the descriptor.
void Refused(const Test &test, int fd, exo_refusal refusal, const char *what) {
  DriverSession session;
  exo_attach attached;
  if (fd < 0) Die(what);
  if ((errno = session.Open()) != 0) Die(EXO_DRIVER_PATH);
  errno = session.Attach(fd, test.program, kBlockBytes, false, &attached);
  Check(errno != 0 && attached.refusal == refusal,
        std::string(what) + " is refused as " + std::to_string(refusal) + ", not " + std::to_string(attached.refusal));
  close(fd);
}

int OpenNew(const std::string &path, int flags) { return open(path.c_str(), flags | O_CREAT | O_TRUNC, 0600); }

int Reopen(const std::string &path, int writable) {
  fsync(writable);
  close(writable);
  return open(path.c_str(), O_RDONLY);
}

void CheckRefusals(Test &test) {
  std::string path = test.folder + "/refused";
  std::vector<char> bytes(1 << 20, 'x');

  int fd = OpenNew(path, O_WRONLY);
  Check(write(fd, bytes.data(), bytes.size()) > 0, "write");
  Refused(test, fd, EXO_REFUSED_MODE, "a descriptor for writing only");
  fd = open(path.c_str(), O_RDWR);
  Refused(test, fd, EXO_REFUSED_WRITERS, "a file that is open for writing");
  fd = OpenNew(path, O_RDWR);
  Check(ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "x", 1, 0) == 1, "make a hole");
  Refused(test, Reopen(path, fd), EXO_REFUSED_LAYOUT, "a file with a hole");
  fd = OpenNew(path, O_RDWR);
  Check(fallocate(fd, 0, 0, 1 << 20) == 0, "fallocate");
  Refused(test, Reopen(path, fd), EXO_REFUSED_LAYOUT, "a file with unwritten extents");
  Refused(test, Reopen(path, OpenNew(path, O_RDWR)), EXO_REFUSED_EMPTY, "an empty file");
  Refused(test, open(test.folder.c_str(), O_RDONLY), EXO_REFUSED_MODE, "a folder");
  Refused(test, open("/dev/null", O_RDONLY), EXO_REFUSED_MODE, "a character device");
  fd = OpenNew("/dev/shm/refused", O_RDWR);
  Check(write(fd, bytes.data(), bytes.size()) > 0, "write");
  Refused(test, Reopen("/dev/shm/refused", fd), EXO_REFUSED_FILESYSTEM, "a file on tmpfs");
  unlink("/dev/shm/refused");
  unlink(path.c_str());

  DriverSession session;
  exo_attach attached;
  Check(session.Open() == 0, "a session");
  fd = test.Make();
  Check(session.Attach(fd, test.program + 1, kBlockBytes, false, &attached) == ENOENT &&
            attached.refusal == EXO_REFUSED_PROGRAM,
        "an unknown program is refused");
  Check(session.Attach(fd, test.program, 1024, false, &attached) == EINVAL && attached.refusal == EXO_REFUSED_BLOCK,
        "blocks of 1 KiB are refused");
  Check(session.Attach(-1, test.program, kBlockBytes, false, &attached) == EBADF, "a bad descriptor is refused");
  close(fd);
  fd = open(test.path.c_str(), O_PATH);
  Check(fd >= 0 && session.Attach(fd, test.program, kBlockBytes, false, &attached) == EBADF,
        "a descriptor that was opened for nothing is refused");
  close(fd);
}

// XFS only: a file that shares blocks with another.
void CheckReflink(Test &test) {
  int from = test.Make();
  std::string path = test.folder + "/clone";
  int to = OpenNew(path, O_RDWR);
  if (ioctl(to, FICLONE, from) == 0) {
    Refused(test, Reopen(path, to), EXO_REFUSED_LAYOUT, "a file with shared extents");
    Refused(test, dup(from), EXO_REFUSED_LAYOUT, "the file that it shares them with");
  } else {
    close(to);
  }
  unlink(path.c_str());
  close(from);
  unlink(test.path.c_str());
}

// In a child that drops its rights: chains over a whole device need CAP_SYS_RAWIO.
void CheckDeviceNode(Test &test, const char *device) {
  DriverSession session;
  exo_attach attached;
  Check(session.Open() == 0, "a session");
  int fd = open(device, O_RDONLY);
  if (fd < 0) return;
  Check(session.Attach(fd, test.program, kBlockBytes, false, &attached) == 0, "root may attach a device");
  pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(2);
    _exit(session.Attach(fd, test.program, kBlockBytes, false, &attached) == EPERM &&
                  attached.refusal == EXO_REFUSED_DEVICE
              ? 0
              : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Check(status == 0, "a device node is refused without CAP_SYS_RAWIO");
  close(fd);
}

exo_request RunOne(const DriverSession &session, uint32_t file, uint64_t offset, uint64_t hops, uint32_t hops_max) {
  exo_request request{};
  request.offset = offset;
  request.scratch[0] = hops;
  exo_run run;
  errno = session.Run(file, EXO_MODE_BEST, hops_max, &request, 1, &run);
  Check(errno == 0, "a chain runs");
  return request;
}

void Overwrite(const std::string &path, uint64_t block, Block content) {
  int fd = open(path.c_str(), O_WRONLY);
  Check(fd >= 0 && pwrite(fd, &content, sizeof(content), static_cast<off_t>(block * kBlockBytes)) == sizeof(content) &&
            fsync(fd) == 0,
        "overwrite");
  close(fd);
}

void CheckEnds(Test &test) {
  DriverSession *session = OpenSession();
  exo_attach attached;
  int fd = test.Make();
  Check(session->Attach(fd, test.program, kBlockBytes, false, &attached) == 0, "attach");
  Check(attached.bytes == kBlocks * kBlockBytes && attached.extents >= 1, "the file is described");
  exo_request end = RunOne(*session, attached.file, 0, 6, 6);
  Check(end.end == EXO_END_DONE && end.hops == 6, "six hops are done");
  end = RunOne(*session, attached.file, 0, 7, 6);
  Check(end.end == EXO_END_BOUND && end.hops == 6, "a seventh hop is one too many");
  uint64_t block = 0;
  for (int hop = 0; hop < 6; hop++) block = test.content[block].next / kBlockBytes;
  Check(end.offset == block * kBlockBytes, "a chain that is bound says where to go on");
  Check(RunOne(*session, attached.file, kBlocks * kBlockBytes, 1, 6).end == EXO_END_OUTSIDE, "the end is outside");
  Check(RunOne(*session, attached.file, ~0ull, 1, 6).end == EXO_END_OUTSIDE, "2^64-1 is outside");
  Check(RunOne(*session, attached.file, 512, 1, 6).end == EXO_END_OUTSIDE, "the middle of a block is outside");

  // A writer comes and goes.
  Overwrite(test.path, 0, {kBlockBytes * kBlocks * 100, 0});
  end = RunOne(*session, attached.file, 0, 6, 6);
  Check(end.end == EXO_END_STALE && end.hops == 0, "a file that was written to is stale");
  uint64_t generation = attached.generation;
  Check(session->Refresh(&attached) == 0 && attached.generation != generation, "it is attached again in one call");
  end = RunOne(*session, attached.file, 0, 6, 6);
  Check(end.end == EXO_END_OUTSIDE && end.hops == 1, "a pointer out of the file is not followed");
  int writer = open(test.path.c_str(), O_WRONLY);
  Check(RunOne(*session, attached.file, 0, 1, 6).end == EXO_END_STALE, "a writer makes a file stale");
  Check(session->Refresh(&attached) == ETXTBSY && attached.refusal == EXO_REFUSED_WRITERS, "and is in the way");
  close(writer);
  Check(session->Refresh(&attached) == 0, "until it is gone");
  Check(truncate(test.path.c_str(), kBlockBytes) == 0, "truncate");
  Check(RunOne(*session, attached.file, kBlockBytes * 5, 1, 6).end == EXO_END_STALE, "truncation makes it stale");
  Check(session->Refresh(&attached) == 0 && attached.bytes == kBlockBytes, "and the file shorter");
  Check(RunOne(*session, attached.file, kBlockBytes * 5, 1, 6).end == EXO_END_OUTSIDE, "and the rest outside");
  delete session;
  close(fd);
}

void CheckPin(Test &test) {
  DriverSession *session = OpenSession(), *other = OpenSession();
  exo_attach attached, again;
  int fd = test.Make();
  std::string elsewhere = test.path + ".2";
  Check(session->Attach(fd, test.program, kBlockBytes, true, &attached) == 0, "attach pinned");
  Check(other->Attach(fd, test.program, kBlockBytes, true, &again) == 0, "two may pin a file");
  Check(again.generation == attached.generation, "and share its snapshot");
  int writer = open(test.path.c_str(), O_RDWR);
  for (int i = 0; i < 2; i++) {
    Check(pwrite(writer, "x", 1, 0) < 0 && errno == ETXTBSY, "writing to a pinned file is refused");
    Check(ftruncate(writer, 0) < 0 && errno == ETXTBSY, "truncating it");
    Check(fallocate(writer, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBlockBytes) < 0 && errno == ETXTBSY,
          "punching a hole into it");
    Check(unlink(test.path.c_str()) < 0 && errno == EPERM, "unlinking it");
    Check(rename(test.path.c_str(), elsewhere.c_str()) < 0 && errno == EPERM, "renaming it");
    Check(RunOne(*session, attached.file, 0, 6, 6).end == EXO_END_DONE, "chains run as long as it is pinned");
    if (i == 0) Check(other->Detach(again.file) == 0, "one lets go");
  }
  Check(session->Detach(attached.file) == 0, "the other lets go");
  Check(session->Detach(attached.file) == ENOENT, "nobody lets go twice");
  Check(pwrite(writer, "x", 1, 0) == 1, "then the file can be written to");
  Check(unlink(test.path.c_str()) == 0, "and unlinked");
  close(writer);
  close(fd);
  delete session;
  delete other;
}

void SetBudget(const char *value) {
  FILE *file = fopen(kBudget, "w");
  if (file == nullptr) Die(kBudget);
  fputs(value, file);
  fclose(file);
}

void CheckBudget(Test &test) {
  DriverSession *session = OpenSession();
  exo_attach attached;
  int fd = test.Make();
  Check(session->Attach(fd, test.program, kBlockBytes, false, &attached) == 0, "attach");
  SetBudget("1");
  uint64_t done = 0, refused = 0;
  for (int i = 0; i < 12000 && refused == 0; i++) {
    exo_request end = RunOne(*session, attached.file, 0, 6, 6);
    Check(end.end == EXO_END_DONE || end.end == EXO_END_BUDGET, "a chain is done, or over the budget");
    (end.end == EXO_END_DONE ? done : refused)++;
  }
  Check(refused == 1 && done * 6 <= EXO_FLIGHTS_MAX * EXO_HOPS_MAX + 600, "the budget ends");
  SetBudget("0");
  Check(RunOne(*session, attached.file, 0, 6, 6).end == EXO_END_DONE, "no budget is no limit");
  delete session;
  close(fd);
}

// Any call is answered by an errno.
void CheckMisuse(Test &test) {
  DriverSession *session = OpenSession();
  exo_attach attached;
  exo_run run;
  exo_request requests[2] = {};
  int fd = test.Make();
  Check(session->Attach(fd, test.program, kBlockBytes, false, &attached) == 0, "attach");
  Check(session->Run(attached.file, EXO_MODE_BEST, 6, requests, 0, &run) == EINVAL, "no chains");
  Check(session->Run(attached.file, EXO_MODE_BEST, 6, requests, 65, &run) == EINVAL, "too many chains");
  Check(session->Run(attached.file, EXO_MODE_BEST, 0, requests, 1, &run) == EINVAL, "no hops");
  Check(session->Run(attached.file, EXO_MODE_BEST, 65, requests, 1, &run) == EINVAL, "too many hops");
  Check(session->Run(attached.file + 1, EXO_MODE_BEST, 6, requests, 1, &run) == ENOENT, "a file that is not there");
  Check(session->Run(attached.file, static_cast<exo_mode>(77), 6, requests, 1, &run) == EOPNOTSUPP, "no such mode");
  Check(session->Run(attached.file, EXO_MODE_BEST, 6, nullptr, 1, &run) == EFAULT, "no memory");
  int device = open(EXO_DRIVER_PATH, O_RDWR);
  Check(ioctl(device, EXO_IOC_RUN, nullptr) < 0 && errno == EFAULT, "no argument");
  Random random(5);
  for (int i = 0; i < 20000; i++) {
    uint64_t words[8];
    for (uint64_t &word : words) word = random.Below(4) == 0 ? random.Next() : random.Below(70);
    static const unsigned long kCommands[] = {EXO_IOC_INFO, EXO_IOC_ATTACH, EXO_IOC_REFRESH, EXO_IOC_DETACH,
                                              EXO_IOC_RUN};
    ioctl(device, random.Below(8) == 0 ? random.Next() : kCommands[random.Below(5)], words);
  }
  close(device);
  Check(RunOne(*session, attached.file, 0, 6, 6).end == EXO_END_DONE, "after all this, chains run");
  delete session;
  close(fd);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  Test test;
  test.folder = argv[1];
  test.path = test.folder + "/file";
  Obstacle obstacle;
  auto program = DriverProgram::Load(argv[2], "chase", 0, &obstacle);
  if (program == nullptr) Die(obstacle.reason);
  test.program = program->id();
  CheckRefusals(test);
  CheckReflink(test);
  if (argc > 3) CheckDeviceNode(test, argv[3]);
  CheckEnds(test);
  CheckPin(test);
  CheckBudget(test);
  CheckMisuse(test);
  printf("ok rules: %d hold\n", checks);
  return 0;
}
