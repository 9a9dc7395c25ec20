// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_program.hh"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <vector>

#include "base/worker_pool.hh"

#ifdef EXOPOOL_HAVE_LIBBPF
#include "base/bpf_library.hh"
#endif

namespace exopool {

using Refusal = Traversal::Refusal;

#ifdef EXOPOOL_HAVE_LIBBPF

namespace {

constexpr size_t kChains = static_cast<size_t>(WorkerPool::kWorkers) * EXO_TRAVERSAL_CHAINS;

// What libbpf says while this thread loads.
thread_local std::string *warnings = nullptr;

int KeepWarnings(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN || warnings == nullptr) return 0;
  va_list again;
  va_copy(again, arguments);
  std::vector<char> text(static_cast<size_t>(vsnprintf(nullptr, 0, format, arguments)) + 1);
  vsnprintf(text.data(), text.size(), format, again);
  va_end(again);
  warnings->append(text.data());
  return 0;
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

template <typename T>
T *MapArray(bpf_object *object, const char *name, size_t count) {
  bpf_map *map = BpfLibrary::Get().bpf_object__find_map_by_name(object, name);
  void *mapping = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED,
                       BpfLibrary::Get().bpf_map__fd(map), 0);
  return mapping == MAP_FAILED ? nullptr : static_cast<T *>(mapping);
}

}  // namespace

Refusal LoadTraversalObject(bpf_object *object) {
  std::string log;
  warnings = &log;
  BpfLibrary::Get().libbpf_set_print(KeepWarnings);
  int error = -BpfLibrary::Get().bpf_object__load(object);
  warnings = nullptr;
  if (error == 0) return {};
  bool lacks_rights = error == EPERM || (error == EACCES && geteuid() != 0);
  if (lacks_rights) return {Refusal::Kind::kUnsupported, error, "the kernel refuses BPF programs: run as root"};
  return {Refusal::Kind::kRefused, error, LastWords(log)};
}

TraversalProgram::~TraversalProgram() {
  if (chains_ != nullptr) munmap(chains_, kChains * sizeof(traversal));
  if (controls_ != nullptr) munmap(controls_, kChains * sizeof(exo_control));
  if (file_ != nullptr) munmap(file_, file_size_);
  if (object_ != nullptr) BpfLibrary::Get().bpf_object__close(object_);
}

Refusal TraversalProgram::Load(const std::string &path, int fd, uint64_t file_size) {
  const BpfLibrary &library = BpfLibrary::Get();
  if (!library.reason().empty()) return {Refusal::Kind::kUnsupported, ENOENT, library.reason()};
  object_ = library.bpf_object__open_file(path.c_str(), nullptr);
  bpf_program *program =
      object_ == nullptr ? nullptr : library.bpf_object__find_program_by_name(object_, "walk_chains");
  if (program == nullptr) return {Refusal::Kind::kIo, EINVAL, path + " is no such program"};
  for (const char *name : {"chains", "controls"}) {
    bpf_map *map = library.bpf_object__find_map_by_name(object_, name);
    if (map == nullptr) return {Refusal::Kind::kIo, EINVAL, path + " is no such program"};
    library.bpf_map__set_max_entries(map, kChains);
  }
  if (Refusal refusal = LoadTraversalObject(object_)) return refusal;
  program_fd_ = library.bpf_program__fd(program);
  chains_ = MapArray<traversal>(object_, "chains", kChains);
  controls_ = MapArray<exo_control>(object_, "controls", kChains);
  void *mapping = mmap(nullptr, file_size, PROT_READ, MAP_SHARED, fd, 0);
  file_ = mapping == MAP_FAILED ? nullptr : mapping;
  file_size_ = file_size;
  bool is_mapped = chains_ != nullptr && controls_ != nullptr && file_ != nullptr;
  return is_mapped ? Refusal{} : Refusal{Refusal::Kind::kIo, ENOMEM, "there is no memory for a mapping"};
}

bool TraversalProgram::Walk(int worker, uint32_t count, uint32_t hops_max) const {
  exo_traversal_walk walk{};
  walk.base = reinterpret_cast<uint64_t>(file_);
  walk.file_size = file_size_;
  walk.hops_max = hops_max;
  walk.first = static_cast<__u32>(worker) * EXO_TRAVERSAL_CHAINS;
  walk.count = count;
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &walk, .ctx_size_in = sizeof(walk));
  return BpfLibrary::Get().bpf_prog_test_run_opts(program_fd_, &options) == 0 && walk.done == count;
}

#else

Refusal LoadTraversalObject(bpf_object *) { return {}; }

TraversalProgram::~TraversalProgram() = default;

Refusal TraversalProgram::Load(const std::string &, int, uint64_t) {
  return {Refusal::Kind::kUnsupported, ENOENT, "the addon was built without libbpf"};
}

bool TraversalProgram::Walk(int, uint32_t, uint32_t) const { return false; }

#endif

}  // namespace exopool
