// SPDX-License-Identifier: Apache-2.0
// The functions of libbpf that we call, found at run time.
//
// Linked in the usual way, a machine without libbpf.so.1 could not load the addon at all; opened by name, it
// only lacks the BPF engines, and says so. The types come from libbpf's headers.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

#define EXO_LIBBPF_FUNCTIONS(F)       \
  F(bpf_object__open_file)            \
  F(bpf_object__load)                 \
  F(bpf_object__close)                \
  F(bpf_object__find_map_by_name)     \
  F(bpf_object__find_program_by_name) \
  F(bpf_map__set_max_entries)         \
  F(bpf_map__fd)                      \
  F(bpf_map__initial_value)           \
  F(bpf_map__attach_struct_ops)       \
  F(bpf_link__destroy)                \
  F(bpf_program__fd)                  \
  F(bpf_prog_test_run_opts)           \
  F(libbpf_set_print)

namespace exopool {

struct BpfLibrary {
#define EXO_MEMBER(name) decltype(&::name) name = nullptr;
  EXO_LIBBPF_FUNCTIONS(EXO_MEMBER)
#undef EXO_MEMBER

  // False, with the dynamic linker's reason, when the library or one of the functions is missing.
  bool Load(std::string *reason);
};

}  // namespace exopool
