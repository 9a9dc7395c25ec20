// SPDX-License-Identifier: Apache-2.0
// A session with a producer, as a region of the store: its slabs join when it opens and leave when it ends. The
// consumer process gets both events, and does the work that takes longer than the session's thread may wait.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "page_store.hh"
#include "slab/slab_client_loop.hh"

namespace exopool {

class SessionLink final : public SlabLink, public SlabEventSink, public std::enable_shared_from_this<SessionLink> {
 public:
  // The protocol's default poll after activity; see addon/base/poller.hh.
  static constexpr uint32_t kSpinUs = 20;

  // Called by the session's thread, under its lock.
  struct Listener {
    std::function<void(uint32_t id, const SlabEvent &event)> on_event;
    std::function<void(uint32_t id, uint32_t slabs)> on_reclaim;
  };

  SessionLink(uint32_t id, PageStore *store, const Listener *listener)
      : id_(id), store_(store), listener_(listener), loop_(&SlabClientLoop::Get(kSpinUs)) {}

  void Open(const SlabTarget &target);
  void Close() { loop_->Close(session_id_); }

  // Each waits for the answer. False: the session is lost, or the producer does not agree.
  bool Extend(const std::array<uint8_t, SLAB_TICKET_BYTES> &ticket);
  bool ReleaseAll() { return Ask({SLAB_RELEASE, SLAB_ALL, 0, 0, nullptr}); }
  // Releases so many slabs, the least used ones.
  void GiveBack(uint32_t slabs);

  void Start(SlabTransfer *transfer, uint8_t *into) override;
  void Post(SlabEvent event) override;

 private:
  bool Ask(const SlabRequest &request);
  void OnGone(const std::vector<uint8_t> &numbers);

  const uint32_t id_;
  PageStore *const store_;
  const Listener *const listener_;
  SlabClientLoop *const loop_;
  uint64_t session_id_ = 0;
  // From the signed ticket, whatever the producer says.
  uint32_t slabs_ = 0;
  uint32_t slab_bytes_ = 0;
  std::atomic<uint32_t> region_{kNone};
};

}  // namespace exopool
