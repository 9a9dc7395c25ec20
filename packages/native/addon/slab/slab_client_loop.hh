// SPDX-License-Identifier: Apache-2.0
// The consumer's one data thread, shared by every session and JavaScript environment of the process. It is
// started with the first session and never stopped: without sessions it sleeps, and it ends with the process.
#pragma once

#include <atomic>
#include <unordered_map>

#include "slab/slab_client_session.hh"

namespace exopool {

class SlabClientLoop {
 public:
  static constexpr uint64_t kDeadlineTickMs = 50;  // how exactly deadlines are kept

  // The process's own. `spin_us` counts with the first call. Throws std::system_error if it cannot be started.
  static SlabClientLoop &Get(uint32_t spin_us);

  void Add(std::shared_ptr<ClientSession> session);
  std::shared_ptr<ClientSession> Find(uint64_t id);
  // As ClientSession's, and makes the thread watch the socket and the deadline when it does not already.
  bool Submit(ClientSession *session, uint64_t batch, const std::vector<SlabRequest> &requests, uint8_t *into);
  // Sends the session's submitted requests, and makes the thread watch for the answers.
  void Send(ClientSession *session);
  // Sends them and waits for all answers on this thread, until `end_ns`: see ClientSession::ReceiveUntil.
  bool SendAndWait(ClientSession *session, uint64_t end_ns);
  void Close(uint64_t id);
  // Ends every session that reports to `port`.
  void CloseAll(const SlabEventSink *port);

 private:
  explicit SlabClientLoop(uint32_t spin_us) : poller_(spin_us) {}
  void Loop();
  // Watches new sessions, forgets closed ones; returns how long to sleep.
  int Prepare();

  Poller poller_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, std::shared_ptr<ClientSession>> sessions_;
  std::atomic<bool> dozing_{false};  // asleep with no deadline to keep
};

}  // namespace exopool
