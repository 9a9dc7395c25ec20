// SPDX-License-Identifier: Apache-2.0
// The driver engine: exopool.ko walks the chains of a batch, all in flight together, and comes back once.
//
// The program (bpf/driver_lookup.bpf.c) is loaded once and has EXO_BATCH_MAX chains for each lane. A lane is a
// session of the driver: one batch at a time, so one for each thread. Files are attached to lanes, unpinned: table
// files are never written again, and unlinking one that is still read must go on working.
//
// What comes back without an answer is counted by reason and left to the caller, who asks another engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "driver_client.hh"
#include "table_file.hh"
#include "table_walk.hh"

namespace exopool {

class DriverEngine {
 public:
  static constexpr int kLanes = 4;  // as many as the worker pool has threads

  // Null, with the reason, when the driver cannot be used. `object`: driver_lookup.bpf.o.
  static std::unique_ptr<DriverEngine> Load(const std::string &object, std::string *reason);

  // Makes a table known to a lane. Zero, or the errno with which its file is refused.
  int Attach(int lane, const TableFile &table, exo_attach *attached);
  void Detach(int lane, const exo_attach &attached);

  // Looks up keys [begin, end), at most EXO_BATCH_MAX. answered[i - begin] is false for keys to ask elsewhere.
  void Lookup(int lane, exo_attach *attached, TableFile &table, const KeyBatch &keys, size_t begin, size_t end,
              exo_mode mode, LookupResult *results, bool *answered, Tally *tally);

  // How chains ended on a lane, by enum exo_end.
  const uint64_t *ends(int lane) const { return lanes_[lane].ends; }

 private:
  struct Lane {
    DriverSession session;
    uint64_t ends[EXO_ENDS] = {};
    AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
  };

  bool Accept(Lane &lane, TableFile &table, const exo_request &request, const exo_chain &chain, Tally *tally,
              LookupResult *result);

  std::unique_ptr<DriverProgram> program_;
  Lane lanes_[kLanes];
};

}  // namespace exopool
