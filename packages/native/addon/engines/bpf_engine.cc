// SPDX-License-Identifier: Apache-2.0
#include "engines/bpf_engine.hh"

#include <cerrno>
#include <cstring>

#include "base/worker_pool.hh"

namespace exopool {
namespace {

constexpr char kFixRights[] = "run as root, or: setcap cap_bpf,cap_perfmon+ep \"$(command -v node)\"";
constexpr char kFixKernel[] = "boot Linux 5.14 or later with CONFIG_BPF_SYSCALL and BTF";
constexpr char kObjectName[] = "page_cache_lookup.bpf.o";
constexpr size_t kChains = size_t{EXO_WALKERS} * EXO_BATCH_MAX;

static_assert(WorkerPool::kWorkers == EXO_DESKS && BpfEngine::kPresentWalker == EXO_DESKS);

}  // namespace

BpfEngine &BpfEngine::Get() {
  static BpfEngine *engine = new BpfEngine();
  return *engine;
}

BpfEngine::BpfEngine() : obstacle_(Load()) {
  if (obstacle_) object_.Close();
}

Obstacle BpfEngine::Load() {
  const std::string path = BpfObject::PathOf(kObjectName);
  if (Obstacle missing = BpfObject::WhyMissing(path)) return missing;
  int error = object_.Open(path);
  bpf_map *map = object_.Map("chains");
  program_ = object_.Program("walk_chains");
  if (error != 0 || map == nullptr || program_ == nullptr) return BpfObject::Foreign(path);
  object_.SetLength(map, kChains);
  error = object_.Load();
  if (error == 0) {
    chains_ = object_.Share<exo_chain>(map, kChains);
    if (chains_ == nullptr) error = errno;
  }
  exo_walk empty{};
  if (error == 0) error = Walk(0, &empty);
  if (error == 0) return {};
  const bool lacks_rights = BpfObject::LacksRights(error);
  std::string reason = std::string("the kernel refuses the BPF program: ") + strerror(error);
  if (!lacks_rights && !object_.log().empty()) reason += " (" + object_.FirstWarning() + ")";
  return {reason, lacks_rights ? kFixRights : kFixKernel};
}

int BpfEngine::Walk(int walker, exo_walk *walk) const {
  walk->first = static_cast<__u32>(walker) * EXO_BATCH_MAX;
  walk->done = 0;
  return BpfObject::Run(program_, walk, sizeof(*walk));
}

}  // namespace exopool
