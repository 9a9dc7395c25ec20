// SPDX-License-Identifier: Apache-2.0
#include "traversal/traversal_program.hh"

#include <sys/mman.h>

#include <cerrno>

#include "base/worker_pool.hh"

namespace exopool {
namespace {

using Kind = TraversalRefusal::Kind;

constexpr size_t kChains = static_cast<size_t>(WorkerPool::kWorkers) * EXO_TRAVERSAL_CHAINS;

}  // namespace

TraversalProgram::~TraversalProgram() {
  if (file_ != nullptr) munmap(file_, file_size_);
}

TraversalRefusal TraversalProgram::Load(const std::string &path, int fd, uint64_t file_size) {
  const int error = object_.Open(path);
  if (error == ENOSYS) return {Kind::kUnsupported, ENOENT, BpfObject::WhyMissing(path).reason};
  program_ = object_.Program("walk_chains");
  bpf_map *chains = object_.Map("chains"), *controls = object_.Map("controls");
  if (error != 0 || program_ == nullptr || chains == nullptr || controls == nullptr)
    return {Kind::kIo, EINVAL, path + " is no such program"};
  object_.SetLength(chains, kChains);
  object_.SetLength(controls, kChains);
  if (TraversalRefusal refusal = LoadTraversalObject(&object_)) return refusal;
  chains_ = object_.Share<traversal>(chains, kChains);
  controls_ = object_.Share<exo_control>(controls, kChains);
  void *mapping = mmap(nullptr, file_size, PROT_READ, MAP_SHARED, fd, 0);
  file_ = mapping == MAP_FAILED ? nullptr : mapping;
  file_size_ = file_size;
  const bool is_mapped = chains_ != nullptr && controls_ != nullptr && file_ != nullptr;
  return is_mapped ? TraversalRefusal{} : TraversalRefusal{Kind::kIo, ENOMEM, "there is no memory for a mapping"};
}

bool TraversalProgram::Walk(int worker, uint32_t count, uint32_t hops_max) const {
  exo_traversal_walk walk{};
  walk.base = reinterpret_cast<uint64_t>(file_);
  walk.file_size = file_size_;
  walk.hops_max = hops_max;
  walk.first = static_cast<__u32>(worker) * EXO_TRAVERSAL_CHAINS;
  walk.count = count;
  return BpfObject::Run(program_, &walk, sizeof(walk)) == 0 && walk.done == count;
}

}  // namespace exopool
