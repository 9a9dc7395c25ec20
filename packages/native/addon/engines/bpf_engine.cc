// SPDX-License-Identifier: Apache-2.0
#include "engines/bpf_engine.hh"

#include <cerrno>

#ifdef EXOPOOL_HAVE_LIBBPF
#include <sys/mman.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/bpf_library.hh"
#include "base/worker_pool.hh"
#endif

namespace exopool {
namespace {

constexpr char kFixBuild[] = "apt-get install clang libbpf-dev && ./exopool setup";

#ifdef EXOPOOL_HAVE_LIBBPF

constexpr char kFixLibrary[] = "apt-get install libbpf1";
constexpr char kFixRights[] = "run as root, or: setcap cap_bpf,cap_perfmon+ep \"$(command -v node)\"";
constexpr char kFixKernel[] = "boot Linux 5.14 or later with CONFIG_BPF_SYSCALL and BTF";
constexpr char kObjectName[] = "page_cache_lookup.bpf.o";

// The first complaint of libbpf while it loads, on the thread that loads: what others load meanwhile, for which
// the same function may be called, is not heard.
thread_local std::string first_warning;

int KeepFirstWarning(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN || !first_warning.empty()) return 0;
  char line[256];
  vsnprintf(line, sizeof(line), format, arguments);
  line[strcspn(line, "\n")] = '\0';
  first_warning = line;
  return 0;
}

#endif

}  // namespace

BpfEngine &BpfEngine::Get() {
  static BpfEngine *engine = new BpfEngine();
  return *engine;
}

BpfEngine::BpfEngine() { Load(); }

#ifdef EXOPOOL_HAVE_LIBBPF

void BpfEngine::Load() {
  fix_ = kFixLibrary;
  const BpfLibrary &library = BpfLibrary::Get();
  reason_ = library.reason();
  if (!reason_.empty()) return;

  std::string path = BesideAddon(kObjectName);
  fix_ = kFixBuild;
  if (access(path.c_str(), R_OK) != 0) {
    reason_ = "the BPF program was not built: clang was missing";
    return;
  }
  library.libbpf_set_print(KeepFirstWarning);
  bpf_object *object = library.bpf_object__open_file(path.c_str(), nullptr);
  bpf_map *map = object == nullptr ? nullptr : library.bpf_object__find_map_by_name(object, "chains");
  bpf_program *program =
      object == nullptr ? nullptr : library.bpf_object__find_program_by_name(object, "walk_chains");
  if (map == nullptr || program == nullptr) {
    reason_ = path + " is not the program that belongs to this addon";
    return;
  }

  static_assert(WorkerPool::kWorkers == EXO_DESKS && kPresentWalker == EXO_DESKS);
  constexpr size_t kChains = size_t{EXO_WALKERS} * EXO_BATCH_MAX;
  library.bpf_map__set_max_entries(map, kChains);
  int error = -library.bpf_object__load(object);
  if (error == 0) {
    program_fd_ = library.bpf_program__fd(program);
    void *mapping = mmap(nullptr, kChains * sizeof(exo_chain), PROT_READ | PROT_WRITE, MAP_SHARED,
                         library.bpf_map__fd(map), 0);
    if (mapping == MAP_FAILED) error = errno;
    chains_ = mapping == MAP_FAILED ? nullptr : static_cast<exo_chain *>(mapping);
  }
  exo_walk empty{};
  if (error == 0) error = Walk(0, &empty);
  if (error == 0) return;
  library.bpf_object__close(object);
  // With some rights but not all, it is the verifier that refuses, with EACCES.
  bool lacks_rights = error == EPERM || (error == EACCES && geteuid() != 0);
  fix_ = lacks_rights ? kFixRights : kFixKernel;
  reason_ = std::string("the kernel refuses the BPF program: ") + strerror(error);
  if (!lacks_rights && !first_warning.empty()) reason_ += " (" + first_warning + ")";
}

int BpfEngine::Walk(int walker, exo_walk *walk) const {
  walk->first = static_cast<__u32>(walker) * EXO_BATCH_MAX;
  walk->done = 0;
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = walk, .ctx_size_in = sizeof(*walk));
  return -BpfLibrary::Get().bpf_prog_test_run_opts(program_fd_, &options);
}

#else

void BpfEngine::Load() {
  reason_ = "the addon was built without libbpf";
  fix_ = kFixBuild;
}

int BpfEngine::Walk(int, exo_walk *) const { return ENOSYS; }

#endif

}  // namespace exopool
