// SPDX-License-Identifier: Apache-2.0
#include "base/bpf_object.hh"

#include <cerrno>

#ifdef EXOPOOL_HAVE_LIBBPF
#include <sys/mman.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/bpf_library.hh"
#endif

namespace exopool {
namespace {

constexpr char kFixBuild[] = "apt-get install clang libbpf-dev && ./exopool setup";

}  // namespace

Obstacle BpfObject::Foreign(const std::string &path) {
  return {path + " is not the program that belongs to this addon", kFixBuild};
}

#ifdef EXOPOOL_HAVE_LIBBPF

namespace {

constexpr char kFixLibrary[] = "apt-get install libbpf1";
constexpr char kFixVersion[] = "install libbpf 1.4 or later, such as that of Debian's backports";

// Receives libbpf's warnings of this thread. Other threads load at the same time.
thread_local std::string *heard = nullptr;

int Hear(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  va_list again;
  va_copy(again, arguments);
  if (getenv("EXOPOOL_DEBUG") != nullptr) vfprintf(stderr, format, again);
  va_end(again);
  if (heard == nullptr) return 0;
  va_copy(again, arguments);
  const int length = vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  std::string text(static_cast<size_t>(length) + 1, '\0');
  vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  heard->append(text);
  return 0;
}

// Collects libbpf's messages for its lifetime.
class Listener {
 public:
  explicit Listener(std::string *log) {
    BpfLibrary::Get().libbpf_set_print(Hear);
    heard = log;
  }
  ~Listener() { heard = nullptr; }
  Listener(const Listener &) = delete;
  Listener &operator=(const Listener &) = delete;
};

}  // namespace

std::string BpfObject::PathOf(const char *name) { return BesideAddon(name); }

Obstacle BpfObject::WhyMissing(const std::string &path, unsigned minor) {
  const BpfLibrary &library = BpfLibrary::Get();
  const char *fix = minor == 0 ? kFixLibrary : kFixVersion;
  if (!library.reason().empty()) return {library.reason(), fix};
  if (minor > 0 && !library.IsAtLeast(1, minor))
    return {"libbpf " + library.Version() + " is older than 1." + std::to_string(minor), fix};
  if (access(path.c_str(), R_OK) != 0) return {"the BPF program was not built: clang was missing", kFixBuild};
  return {};
}

bool BpfObject::LacksRights(int error) { return error == EPERM || (error == EACCES && geteuid() != 0); }

int BpfObject::Open(const std::string &path) {
  const BpfLibrary &library = BpfLibrary::Get();
  if (!library.reason().empty()) return ENOSYS;
  Listener listener(&log_);
  object_ = library.bpf_object__open_file(path.c_str(), nullptr);
  return object_ == nullptr ? errno : 0;
}

void BpfObject::Close() {
  for (const Shared &shared : shared_) munmap(shared.memory, shared.bytes);
  shared_.clear();
  if (object_ != nullptr) BpfLibrary::Get().bpf_object__close(object_);
  object_ = nullptr;
}

bpf_map *BpfObject::Map(const char *name) const {
  return object_ == nullptr ? nullptr : BpfLibrary::Get().bpf_object__find_map_by_name(object_, name);
}

bpf_program *BpfObject::Program(const char *name) const {
  return object_ == nullptr ? nullptr : BpfLibrary::Get().bpf_object__find_program_by_name(object_, name);
}

uint8_t *BpfObject::InitialValue(bpf_map *map, size_t bytes, bool is_exact) const {
  size_t there = 0;
  const void *value = BpfLibrary::Get().bpf_map__initial_value(map, &there);
  // Older headers declare it const; it may be changed until the object is loaded.
  return there < bytes || (is_exact && there != bytes) ? nullptr : static_cast<uint8_t *>(const_cast<void *>(value));
}

void BpfObject::SetLength(bpf_map *map, size_t entries) const {
  BpfLibrary::Get().bpf_map__set_max_entries(map, static_cast<__u32>(entries));
}

void BpfObject::ChooseNone() const {
  const BpfLibrary &library = BpfLibrary::Get();
  bpf_program *program = nullptr;
  while ((program = library.bpf_object__next_program(object_, program)) != nullptr)
    library.bpf_program__set_autoload(program, false);
}

bool BpfObject::Choose(bpf_program *program, const std::string &function) const {
  const BpfLibrary &library = BpfLibrary::Get();
  if (!function.empty() && library.bpf_program__set_attach_target(program, 0, function.c_str()) != 0) return false;
  library.bpf_program__set_autoload(program, true);
  return true;
}

int BpfObject::Load() {
  Listener listener(&log_);
  return -BpfLibrary::Get().bpf_object__load(object_);
}

void *BpfObject::ShareBytes(bpf_map *map, size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, BpfLibrary::Get().bpf_map__fd(map), 0);
  if (memory == MAP_FAILED) return nullptr;
  shared_.push_back({memory, bytes});
  return memory;
}

bpf_link *BpfObject::Attach(bpf_program *program) {
  Listener listener(&log_);
  return BpfLibrary::Get().bpf_program__attach(program);
}

bpf_link *BpfObject::AttachStructOps(bpf_map *map) {
  Listener listener(&log_);
  return BpfLibrary::Get().bpf_map__attach_struct_ops(map);
}

void BpfObject::Detach(bpf_link *link) { BpfLibrary::Get().bpf_link__destroy(link); }

int BpfObject::Run(bpf_program *program, void *context, size_t bytes) {
  const BpfLibrary &library = BpfLibrary::Get();
  LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = static_cast<__u32>(bytes));
  return -library.bpf_prog_test_run_opts(library.bpf_program__fd(program), &options);
}

#else

std::string BpfObject::PathOf(const char *name) { return name; }

Obstacle BpfObject::WhyMissing(const std::string &, unsigned) {
  return {"the addon was built without libbpf", kFixBuild};
}

bool BpfObject::LacksRights(int) { return false; }
int BpfObject::Open(const std::string &) { return ENOSYS; }
void BpfObject::Close() {}
bpf_map *BpfObject::Map(const char *) const { return nullptr; }
bpf_program *BpfObject::Program(const char *) const { return nullptr; }
uint8_t *BpfObject::InitialValue(bpf_map *, size_t, bool) const { return nullptr; }
void BpfObject::SetLength(bpf_map *, size_t) const {}
void BpfObject::ChooseNone() const {}
bool BpfObject::Choose(bpf_program *, const std::string &) const { return false; }
int BpfObject::Load() { return ENOSYS; }
void *BpfObject::ShareBytes(bpf_map *, size_t) { return nullptr; }
bpf_link *BpfObject::Attach(bpf_program *) { return nullptr; }
bpf_link *BpfObject::AttachStructOps(bpf_map *) { return nullptr; }
void BpfObject::Detach(bpf_link *) {}
int BpfObject::Run(bpf_program *, void *, size_t) { return ENOSYS; }

#endif

}  // namespace exopool
