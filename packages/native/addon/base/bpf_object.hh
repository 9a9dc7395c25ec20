// SPDX-License-Identifier: Apache-2.0
// A BPF object file: opened, set up from outside, loaded into the kernel, its maps shared with this process.
//
//   WhyMissing -> Open -> SetLength, InitialValue, Choose -> Load -> Share, Attach, Run
//
// Without libbpf at build time every object is missing, with that reason. So callers need no #ifdef.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct bpf_link;
struct bpf_map;
struct bpf_object;
struct bpf_program;

namespace exopool {

// Why a feature does not run here, and the command that would fix it.
struct Obstacle {
  std::string reason, fix;
  explicit operator bool() const { return !reason.empty(); }
};

class BpfObject {
 public:
  // The first libbpf 1.x that attaches struct_ops programs such as ours.
  static constexpr unsigned kStructOpsMinor = 4;

  BpfObject() = default;
  ~BpfObject() { Close(); }
  BpfObject(const BpfObject &) = delete;
  BpfObject &operator=(const BpfObject &) = delete;

  // The path of an object that the build has put beside the addon.
  static std::string PathOf(const char *name);
  // Checks without loading: libbpf of version 1.`minor` at least, and the file.
  static Obstacle WhyMissing(const std::string &path, unsigned minor = 0);
  // For an object without a program or map that its caller needs.
  static Obstacle Foreign(const std::string &path);
  // Whether the errno means missing rights. With some of the rights, the verifier refuses instead.
  static bool LacksRights(int error);

  // Zero or an errno.
  int Open(const std::string &path);
  // Unloads the programs and maps that nothing else holds, and unmaps shared maps.
  void Close();
  // Null: the object has none with that name.
  bpf_map *Map(const char *name) const;
  bpf_program *Program(const char *name) const;

  // Before Load. Null: the map has no initial value of so many bytes.
  uint8_t *InitialValue(bpf_map *map, size_t bytes, bool is_exact = false) const;
  void SetLength(bpf_map *map, size_t entries) const;
  // Leaves out all programs that are not chosen afterwards.
  void ChooseNone() const;
  // Chooses a program, for a function of the kernel, or for its own target if empty. False: the kernel has no such
  // function.
  bool Choose(bpf_program *program, const std::string &function) const;

  // Zero or an errno; log() has libbpf's words.
  int Load();
  const std::string &log() const { return log_; }
  // The first line of the log, which is the most exact.
  std::string FirstWarning() const { return log_.substr(0, log_.find('\n')); }

  // After Load. An array map's memory. Null, with errno.
  template <typename T>
  T *Share(bpf_map *map, size_t count) {
    return static_cast<T *>(ShareBytes(map, count * sizeof(T)));
  }
  // Null, with errno.
  bpf_link *Attach(bpf_program *program);
  bpf_link *AttachStructOps(bpf_map *map);
  static void Detach(bpf_link *link);
  // Runs a program once over a context. Zero or an errno.
  static int Run(bpf_program *program, void *context, size_t bytes);

 private:
  struct Shared {
    void *memory;
    size_t bytes;
  };

  void *ShareBytes(bpf_map *map, size_t bytes);

  bpf_object *object_ = nullptr;
  std::vector<Shared> shared_;
  std::string log_;
};

}  // namespace exopool
