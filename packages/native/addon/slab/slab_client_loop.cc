// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_client_loop.hh"

#include <dlfcn.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/clock.hh"

namespace exopool {
namespace {

// An addon loaded only by a worker thread is unloaded with it, while this thread still runs.
void KeepLibraryLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void *>(&KeepLibraryLoaded), &info) != 0) {
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

}  // namespace

SlabClientLoop &SlabClientLoop::Get(uint32_t spin_us) {
  // Never destroyed: the thread may outlive every static of the process.
  static SlabClientLoop *const loop = [spin_us] {
    KeepLibraryLoaded();
    std::unique_ptr<SlabClientLoop> made(new SlabClientLoop(spin_us));
    std::thread([loop = made.get()] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are the main thread's
      loop->Loop();
    }).detach();
    return made.release();
  }();
  return *loop;
}

void SlabClientLoop::Add(std::shared_ptr<ClientSession> session) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    sessions_.emplace(session->id(), std::move(session));
  }
  poller_.Wake();
}

std::shared_ptr<ClientSession> SlabClientLoop::Find(uint64_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

bool SlabClientLoop::Submit(ClientSession *session, uint64_t batch, const std::vector<SlabRequest> &requests,
                            uint8_t *into) {
  if (!session->Submit(batch, requests, into)) return false;
  session->Unhold(&poller_);
  if (dozing_.exchange(false) || session->blocked()) poller_.Wake();
  return true;
}

void SlabClientLoop::Send(ClientSession *session) {
  session->Send();
  session->Unhold(&poller_);
  if (dozing_.exchange(false) || session->blocked()) poller_.Wake();
}

bool SlabClientLoop::SendAndWait(ClientSession *session, uint64_t end_ns) {
  bool begins = false;
  const bool is_done = session->ReceiveUntil(&poller_, end_ns, &begins);
  // Only to add the end of the hold to the thread's deadlines.
  if (begins && dozing_.exchange(false)) poller_.Wake();
  return is_done;
}

void SlabClientLoop::Close(uint64_t id) {
  if (const auto session = Find(id)) session->Close();
  poller_.Wake();
}

void SlabClientLoop::CloseAll(const SlabEventSink *port) {
  std::vector<std::shared_ptr<ClientSession>> theirs;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto &[id, session] : sessions_) {
      if (session->port() == port) theirs.push_back(session);
    }
  }
  for (const auto &session : theirs) session->Close();
  poller_.Wake();
}

int SlabClientLoop::Prepare() {
  std::lock_guard<std::mutex> lock(mutex_);
  uint64_t deadline_ns = UINT64_MAX;
  const uint64_t now_ns = MonotonicNs();
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    ClientSession &session = *at->second;
    const uint64_t theirs_ns = session.DeadlineNs();
    if (theirs_ns <= now_ns && !session.OnTime(now_ns)) {
      at = sessions_.erase(at);
      continue;
    }
    session.Watch(&poller_);
    deadline_ns = std::min(deadline_ns, theirs_ns);
    ++at;
  }
  if (deadline_ns == UINT64_MAX) return -1;
  // Other deadlines may be set while this thread sleeps, without a wake-up.
  const uint64_t left_ms = deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns) / 1'000'000 + 1;
  return static_cast<int>(std::min(left_ms, kDeadlineTickMs));
}

void SlabClientLoop::Loop() {
  epoll_event events[Poller::kEvents];
  for (;;) {
    // Announced before the check: a request made in between sees it and wakes this thread.
    dozing_ = true;
    const int timeout_ms = Prepare();
    if (timeout_ms != -1) dozing_ = false;
    const int count = poller_.Wait(events, timeout_ms);
    dozing_ = false;
    for (int i = 0; i < count; ++i) {
      if (const auto session = Find(events[i].data.u64)) session->OnEvents(events[i].events);
    }
  }
}

}  // namespace exopool
