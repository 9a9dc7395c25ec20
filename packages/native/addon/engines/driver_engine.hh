// SPDX-License-Identifier: Apache-2.0
// The driver engine: exopool.ko walks the chains of a batch, all in flight together, in one call.
//
// The program (kernel/bpf/driver_lookup.bpf.c) is loaded once and has EXO_BATCH_MAX chains for each lane. A lane is a
// session of the driver: one batch at a time, so one for each worker. Files are attached to all lanes, unpinned: table
// files are never written again, and unlinking a file in use must keep working.
//
// A chain without an answer is counted by reason, and answered by pread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/worker_pool.hh"
#include "engines/driver_client.hh"
#include "table/table_file.hh"
#include "table/table_walk.hh"

namespace exopool {

// For the whole process.
struct DriverCounters {
  std::atomic<uint64_t> batches{0}, hops{0}, resubmitted{0};
  std::atomic<uint64_t> unanswered{0};          // chains that went on at user level
  std::atomic<uint64_t> ends[EXO_ENDS] = {};    // chains by enum exo_end
  std::atomic<uint64_t> modes[EXO_MODES] = {};  // batches by enum exo_mode
};

class DriverEngine {
 public:
  static constexpr int kLanes = WorkerPool::kWorkers;

  // Loads the program at the first call, where the module is loaded. Never destroyed.
  static DriverEngine &Get();
  // Another one, with the program of an object file; for checks.
  explicit DriverEngine(const std::string &object);
  DriverEngine(const DriverEngine &) = delete;
  DriverEngine &operator=(const DriverEngine &) = delete;

  bool available() const { return !obstacle_; }
  const std::string &reason() const { return obstacle_.reason; }
  const std::string &fix() const { return obstacle_.fix; }
  const DriverCounters &counters() const { return counters_; }

  // Attaches a table before its first lookup; it is detached when the table closes. Empty, or why the driver cannot
  // read its file. Not from two threads for one table. Only when available.
  std::string Attach(TableFile *table);
  // Bit 1 << enum exo_mode for each that an attached table can have.
  uint32_t ModesOf(const TableFile &table) const;

  // Looks up which[0 .. count-1], at most EXO_BATCH_MAX keys, on a lane that no other thread uses meanwhile. results[i]
  // is for key i. Returns how many pread had to answer.
  size_t Lookup(int lane, TableFile &table, const KeyBatch &keys, const uint32_t *which, size_t count, exo_mode mode,
                LookupResult *results);

 private:
  struct Lane {
    DriverSession session;
    AlignedBytes page = AllocateAligned(EXO_PAGE_SIZE);
  };

  Obstacle Load(const std::string &object);
  int Run(Lane &lane, exo_attach *attached, const TableFile &table, exo_mode mode, exo_request *requests,
          uint32_t count);
  bool Accept(Lane &lane, TableFile &table, const exo_request &request, const exo_chain &chain, Tally *tally,
              LookupResult *result);

  std::unique_ptr<DriverProgram> program_;
  Lane lanes_[kLanes];
  Obstacle obstacle_;  // after what Load sets
  DriverCounters counters_;
};

// The numbers of one table in the sessions.
class DriverFile : public TableAttachment {
 public:
  ~DriverFile() override;
  DriverFile() = default;
  DriverFile(const DriverFile &) = delete;
  DriverFile &operator=(const DriverFile &) = delete;

  const DriverSession *sessions[DriverEngine::kLanes] = {};  // null: not attached
  exo_attach attached[DriverEngine::kLanes] = {};            // each belongs to the lane's worker
};

// As LookupByBpf in table_lookup.hh.
void LookupByDriver(TableFile &table, int worker, const KeyBatch &keys, const uint32_t *which, size_t count,
                    LookupResult *results);

}  // namespace exopool
