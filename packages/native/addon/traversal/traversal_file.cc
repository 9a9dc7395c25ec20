// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_file.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

namespace exopool {
namespace {

int64_t ReadBlock(int fd, uint64_t offset, uint8_t *block) {
  for (;;) {
    ssize_t got = pread(fd, block, TRAVERSAL_BLOCK_BYTES, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got < 0 ? -errno : got;
  }
}

// The verifier's complaint: the line before its statistics.
std::string LastWords(const std::string &log) {
  std::istringstream lines(log);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("processed ", 0) == 0) return last;
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace

TraversalRefusal TraversalFile::Open(const std::string &file, const std::string &twin) {
  fd_ = FileDescriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd_.is_open() || fstat(fd(), &status) != 0) return {TraversalRefusal::Kind::kIo, errno, file};
  if (!S_ISREG(status.st_mode) || status.st_size == 0)
    return {TraversalRefusal::Kind::kIo, EINVAL, file + " is empty, or no file"};
  size_ = static_cast<uint64_t>(status.st_size);
  std::string reason = twin_.Open(twin);
  return reason.empty() ? TraversalRefusal{} : TraversalRefusal{TraversalRefusal::Kind::kIo, EINVAL, reason};
}

void TraversalFile::WalkByPread(TraversalBatch *batch, size_t which, UserChain *chain) {
  chain->Begin(twin_, batch->inputs[which]);
  FinishByPread(batch, which, chain);
}

void TraversalFile::FinishByPread(TraversalBatch *batch, size_t which, UserChain *chain) {
  while (chain->Admit(size_, batch->hops_max) &&
         chain->Hop(twin_, size_, ReadBlock(fd(), chain->offset(), chain->block()))) {
  }
  chain->TakeResult(&batch->results[which]);
  Count(batch->results[which]);
}

void TraversalFile::TakeKernelChain(TraversalBatch *batch, size_t which, const traversal &t, const exo_control &control,
                                    UserChain *chain) {
  TraversalResult &result = batch->results[which];
  bool goes_on = control.end == TRAVERSAL_USER || control.end >= EXO_TRAVERSAL_IO || control.end == 0;
  bool is_long = goes_on ? control.result_len > TRAVERSAL_RESULT_MAX
                         : control.end == TRAVERSAL_DONE && t.result_len > TRAVERSAL_RESULT_MAX;
  if (goes_on && !is_long) {
    counters_.returned[control.end % EXO_TRAVERSAL_ENDS]++;
    chain->Resume(batch->inputs[which], t, control);
    FinishByPread(batch, which, chain);
    return;
  }
  result.end = is_long ? static_cast<uint32_t>(EXO_TRAVERSAL_GARBAGE) : control.end;
  result.hops = control.hops;
  result.offset = control.offset;
  if (result.end == TRAVERSAL_DONE) result.value.assign(reinterpret_cast<const char *>(t.result), t.result_len);
  Count(result);
}

void TraversalFile::Count(const TraversalResult &result) {
  counters_.chains++;
  counters_.hops += result.hops;
  counters_.ends[result.end % EXO_TRAVERSAL_ENDS]++;
}

TraversalRefusal LoadTraversalObject(BpfObject *object) {
  const int error = object->Load();
  if (error == 0) return {};
  if (BpfObject::LacksRights(error))
    return {TraversalRefusal::Kind::kUnsupported, error, "the kernel refuses BPF programs: run as root"};
  return {TraversalRefusal::Kind::kRefused, error, LastWords(object->log())};
}

}  // namespace exopool
