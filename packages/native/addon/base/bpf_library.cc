// SPDX-License-Identifier: Apache-2.0
#ifdef EXOPOOL_HAVE_LIBBPF
#include "base/bpf_library.hh"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace exopool {
namespace {

// The library that the set-up fetched because the machine's own is too old, seen from the addon's folder.
constexpr char kFetched[] = "../../../../.exopool/libbpf/libbpf.so.1";
constexpr char kMachines[] = "libbpf.so.1";
constexpr char kForced[] = "EXOPOOL_LIBBPF";

void *OpenLibrary() {
  if (const char *forced = getenv(kForced)) return dlopen(forced, RTLD_NOW | RTLD_LOCAL);
  std::string fetched = BesideAddon(kFetched);
  void *handle = access(fetched.c_str(), R_OK) == 0 ? dlopen(fetched.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  return handle != nullptr ? handle : dlopen(kMachines, RTLD_NOW | RTLD_LOCAL);
}

}  // namespace

std::string BesideAddon(const char *name) {
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&BesideAddon), &info) == 0) return name;
  std::string addon = info.dli_fname;
  return addon.substr(0, addon.rfind('/') + 1) + name;
}

const BpfLibrary &BpfLibrary::Get() {
  static const BpfLibrary *library = new BpfLibrary();
  return *library;
}

BpfLibrary::BpfLibrary() {
  void *handle = OpenLibrary();
  if (handle == nullptr) {
    reason_ = dlerror();
    return;
  }
  const char *missing = nullptr;
#define EXO_FIND(name)                                                       \
  this->name = reinterpret_cast<decltype(this->name)>(dlsym(handle, #name)); \
  if (this->name == nullptr) missing = #name;
  EXO_LIBBPF_FUNCTIONS(EXO_FIND)
#undef EXO_FIND
  if (missing != nullptr) reason_ = std::string("libbpf.so.1 lacks ") + missing;
}

bool BpfLibrary::IsAtLeast(unsigned major, unsigned minor) const {
  unsigned is_major = libbpf_major_version(), is_minor = libbpf_minor_version();
  return is_major > major || (is_major == major && is_minor >= minor);
}

std::string BpfLibrary::Version() const {
  return std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version());
}

}  // namespace exopool
#endif
