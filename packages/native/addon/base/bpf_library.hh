// SPDX-License-Identifier: Apache-2.0
// The functions of libbpf that we call, found at run time.
//
// If the addon were linked with libbpf.so.1, a machine without it could not load the addon. Opened by name, only the
// BPF engines are missing, with the reason. The types come from libbpf's headers.
//
// Tried in this order: the library that EXOPOOL_LIBBPF names, the one that the set-up fetched if the machine's is older
// than 1.4, the machine's. So a program may run with a newer library than it was built with.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

#define EXO_LIBBPF_FUNCTIONS(F)       \
  F(bpf_object__open_file)            \
  F(bpf_object__load)                 \
  F(bpf_object__close)                \
  F(bpf_object__next_program)         \
  F(bpf_object__find_map_by_name)     \
  F(bpf_object__find_program_by_name) \
  F(bpf_map__set_max_entries)         \
  F(bpf_map__fd)                      \
  F(bpf_map__initial_value)           \
  F(bpf_map__attach_struct_ops)       \
  F(bpf_link__destroy)                \
  F(bpf_program__fd)                  \
  F(bpf_program__attach)              \
  F(bpf_program__set_attach_target)   \
  F(bpf_program__set_autoload)        \
  F(libbpf_major_version)             \
  F(libbpf_minor_version)             \
  F(bpf_prog_test_run_opts)           \
  F(libbpf_set_print)

namespace exopool {

// The absolute path of a file that lies beside the addon, wherever that was loaded from.
std::string BesideAddon(const char *name);

class BpfLibrary {
 public:
  // Opened at the first call, and never closed.
  static const BpfLibrary &Get();

#define EXO_MEMBER(name) decltype(&::name) name = nullptr;
  EXO_LIBBPF_FUNCTIONS(EXO_MEMBER)
#undef EXO_MEMBER

  // Empty, or the dynamic linker's reason why the library or one of its functions is missing.
  const std::string &reason() const { return reason_; }
  bool IsAtLeast(unsigned major, unsigned minor) const;
  std::string Version() const;

 private:
  BpfLibrary();

  std::string reason_;
};

}  // namespace exopool
