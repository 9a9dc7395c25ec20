// SPDX-License-Identifier: Apache-2.0
// A BPF object file: opened, set up from outside, loaded into the kernel, its maps shared with this process.
//
//   WhyMissing -> Open -> SetLength, InitialValue, Choose -> Load -> Share, Attach, Run
//
// Built without libbpf every object is missing, for that reason. So callers need no #ifdef.
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

// Why something does not run here, and the line that would change that.
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
  // What can be told without loading: whether libbpf is there, 1.`minor` at least, and the file.
  static Obstacle WhyMissing(const std::string &path, unsigned minor = 0);
  // For an object that lacks what its caller knows of.
  static Obstacle Foreign(const std::string &path);
  // Whether the kernel's errno says that rights are missing. With some of them it is the verifier that refuses.
  static bool LacksRights(int error);

  // Zero or an errno.
  int Open(const std::string &path);
  // Unloads what nothing else holds, and takes shared maps back.
  void Close();
  // Null: the object has none of that name.
  bpf_map *Map(const char *name) const;
  bpf_program *Program(const char *name) const;

  // Before Load. Null: the map has no initial value of so many bytes.
  uint8_t *InitialValue(bpf_map *map, size_t bytes) const;
  void SetLength(bpf_map *map, size_t entries) const;
  // Leaves all programs out that are not chosen afterwards.
  void ChooseNone() const;
  // Takes a program in, at a function of the kernel, or at its own when empty. False: the kernel describes no such one.
  bool Choose(bpf_program *program, const std::string &function) const;

  // Zero or an errno; log() has libbpf's words.
  int Load();
  const std::string &log() const { return log_; }
  // The first line of the log: it is the most exact.
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
