// SPDX-License-Identifier: Apache-2.0
// The io-uring engine: one ring and one thread a process, which advances the lookups of all calls at once.
//
// A device answers many reads in little more time than one. So for cold data the number of reads in flight counts, not
// the number of waiting threads. Each lookup is a TableWalk; up to kChains of them have a read in the ring, and one
// system call submits all new reads and waits for the next completion:
//
//   JavaScript threads                         the ring's thread
//   Submit(call) -> [ inbox ] --eventfd-->  take calls, start walks, one key of each call in turn
//                                                |        ^
//                                                v reads  | next reads
//                                           io_uring_enter: submit all, wait for one (or the eventfd)
//                                                |        |
//                                                v        | completions
//   promise <-- done() <-- last key <------ resume walks -+
//
// - A walk that does not find its key goes on in the next older table that may have it.
// - The eventfd that announces new calls is itself read through the ring, so there is one place to sleep. It
//   is written only while the thread sleeps: a busy thread looks into the inbox anyway.
// - Pages are read into registered buffers from registered files where the kernel takes them (RLIMIT_MEMLOCK limits the
//   buffers), else into the same buffers by address, from descriptors.
// - A call holds its tables, keys and results until its last walk has ended, whatever JavaScript does
//   meanwhile. The engine is never destroyed: a process may end while the kernel reads into its buffers.
// - One thread: a read costs it some 6 us of CPU, 4 of them in the kernel, so it can feed 150,000 a second,
//   and JavaScript cannot ask for more.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/ring.hh"
#include "table/table_version.hh"
#include "table/table_walk.hh"

namespace exopool {

// Some of a lookup's keys, in neighbouring tables of a version. The caller fills in all but the last part.
struct RingCall {
  std::shared_ptr<const TableVersion> version;
  size_t first_table = 0, end_table = 0;
  const KeyBatch *keys = nullptr;
  std::vector<uint32_t> which;              // of the keys
  LookupResult *results = nullptr;          // results[i] is for key i
  bool copies_leaves = false;               // see TableWalk
  std::function<bool()> is_stopped;         // true: do not look up the remaining keys
  std::function<void(uint32_t key)> ended;  // after each key's lookup
  std::function<void()> done;               // once, after the last key; it may destroy keys and results

  size_t next = 0;       // in `which`: the first one without a walk
  size_t under_way = 0;  // walks
  bool has_ended = false;
};

class RingEngine {
 public:
  // Walks with a read in flight. A virtio disk reaches its full throughput at 64; each costs 12 KiB.
  static constexpr unsigned kChains = 128;
  // Tables whose files are registered; a table without a slot is read by its descriptor.
  static constexpr unsigned kFiles = 64;
  // Memory for values longer than a page that are being read: 4 of the longest. Others wait.
  static constexpr uint64_t kRunBytesMax = 4 * static_cast<uint64_t>(EXO_VALUE_MAX);

  // Starts the thread at the first call.
  static RingEngine &Get();

  // Zero, or the errno with which the kernel refuses the ring.
  int error() const { return error_; }

  // From any thread. The call ends even when the ring fails: each result has the failure then.
  void Submit(std::shared_ptr<RingCall> call);
  // From any thread: empties a slot that a table had.
  void ReleaseFile(int slot);

 private:
  struct Chain {
    explicit Chain(uint8_t *page) : walk(page) {}
    TableWalk walk;
    std::shared_ptr<RingCall> call;
    uint32_t key = 0;
    size_t table = 0;  // of the version's
    Tally tally;
    size_t done_bytes = 0;  // of the walk's read
    unsigned retries = 0;
  };

  RingEngine();
  int Prepare();
  void Run();
  void Post(const std::function<void()> &add);
  bool TakeInbox();
  void PutFile(TableFile *table);
  void StartWalks();
  bool StartWalk(Chain *chain, size_t from);
  bool GoOn(Chain *chain, bool needs_read);
  static void AddTally(Chain *chain);
  template <typename Go>
  void Proceed(unsigned number, Go go);
  void ReadLongValues();
  void QueueRead(unsigned number);
  void QueueWake();
  void OnRead(unsigned number, int result);
  void EndWalk(unsigned number);
  static void EndIfDone(RingCall *call);
  static void FailKey(RingCall *call, uint32_t key);
  static void Fail(RingCall *call);
  void Break();

  int error_ = 0;
  int wake_fd_ = -1;

  std::mutex mutex_;
  std::vector<std::shared_ptr<RingCall>> inbox_;
  std::vector<int> released_files_;
  bool asleep_ = false;
  bool broken_ = false;  // the ring has failed for good

  // The rest belongs to the ring's thread.
  Ring ring_;
  uint64_t wake_count_ = 0;
  bool has_fixed_buffers_ = false;
  AlignedBytes pages_;
  std::vector<Chain> chains_;
  std::vector<unsigned> idle_;
  std::vector<int> free_files_;
  std::deque<std::shared_ptr<RingCall>> calls_;  // with keys that have no walk yet
  std::deque<unsigned> parked_;                  // chains that need a long value
  uint64_t run_bytes_ = 0;                       // of long values that are being read
};

}  // namespace exopool
