// SPDX-License-Identifier: Apache-2.0
// The producer's one data thread: it accepts, reads, answers, expires. It never waits for one client. Sockets are
// non-blocking, and a turn takes at most kTurnBytes of each. A client that does not read its answers is skipped, and
// closed after kStallMs.
//
// With a share of a core as its cap, it measures its own CPU time and naps for the rest of a window once the window's
// share is used up. Then the application has the processor. Tasks run all the same.
//
// Sessions and leases belong to this thread alone; other threads reach them by Run, which executes between turns.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/file_descriptor.hh"
#include "base/poller.hh"
#include "slab/slab_server_session.hh"

namespace exopool {

class SlabServerLoop {
 public:
  static constexpr size_t kReadBytes = 64 * 1024;   // asked of a socket at once
  static constexpr size_t kTurnBytes = 256 * 1024;  // taken from one session in a turn
  static constexpr int kAcceptsPerTurn = 16;        // a handshake costs some 200 us
  static constexpr uint64_t kStallMs = 10'000;      // unread output this long: the consumer is gone
  static constexpr uint64_t kLingerMs = 1'000;      // for a peer to read our last words
  static constexpr int kTickMs = 100;               // how exactly the three times above are kept
  static constexpr uint64_t kCapWindowMs = 20;      // the longest wait of a request for the cap

  // Binds at once and starts the thread. Throws std::system_error.
  SlabServerLoop(const std::string &host, uint16_t port, std::unique_ptr<SlabService> service, uint32_t spin_us,
                 double cpu_share_max = 1);
  ~SlabServerLoop();

  uint16_t port() const { return port_; }
  // Runs `task` on the thread and returns when it is done.
  void Run(const std::function<void(SlabService &)> &task);
  size_t sessions() const { return sessions_.size(); }     // inside of Run only
  uint32_t leased_slabs() const { return leased_slabs_; }  // from any thread, without waiting for this one

 private:
  struct Connection {
    Connection(FileDescriptor socket, SlabService *service, uint64_t steady_ms)
        : fd(std::move(socket)), session(service, steady_ms) {}
    FileDescriptor fd;
    ServerSession session;
    uint32_t interest = EPOLLIN;
    // By the steady clock, as when the session started.
    uint64_t stalled_since_ms = 0;  // output is waiting since; 0: none is
    uint64_t closing_since_ms = 0;
    bool shut = false;
    bool backlog = false;  // input was left because output was full
    // Work remains that no event of the socket announces.
    bool ready() const { return backlog && stalled_since_ms == 0; }
  };

  void Loop();
  int TimeoutMs(uint64_t now_ms) const;
  void Accept();
  // False: the connection is over.
  bool Receive(Connection *connection, uint64_t now_ms);
  bool Flush(Connection *connection);
  void Serve(uint64_t tag, uint32_t events, uint64_t now_ms);
  bool ServeConnection(Connection *connection, uint32_t events, uint64_t now_ms);
  void Tick(uint64_t now_ms);
  void TellChanges(uint64_t now_ms);
  void RunTasks();
  void KeepCap(uint64_t now_ms);

  std::unique_ptr<SlabService> service_;
  Poller poller_;
  uint16_t port_ = 0;
  FileDescriptor listener_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> sessions_;
  uint64_t next_tag_ = 1;
  uint64_t told_changes_ = 0;
  std::atomic<uint32_t> leased_slabs_{0};
  bool accepting_ = true;
  const double cpu_share_max_;  // of one core; 1: no cap
  uint64_t window_ms_ = 0;      // when the cap's window began, and the thread's CPU time then
  double window_cpu_ = 0;
  std::mutex mutex_;  // of the two below
  std::vector<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

// "a.b.c.d" or "::1" to a bound, listening, non-blocking socket. Throws std::system_error.
FileDescriptor ListenTcp(const std::string &host, uint16_t port, uint16_t *bound_port);

}  // namespace exopool
