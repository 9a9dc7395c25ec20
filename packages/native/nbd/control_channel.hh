// SPDX-License-Identifier: Apache-2.0
// A socket to the consumer process, which keeps the leases: it names the sessions to open and gets their events. Lines
// of text:
//
//   connect ID ADDRESS PORT SEED PRODUCER-KEY TICKET TIMEOUT-MS  -> opened ID SLABS | refused ID REASON
//   extend ID TICKET                                             -> extended ID 0|1
//   release ID (gives all slabs back)                            -> released ID
//   close ID (forgets it)
//   stats                                                        -> stats NAME=NUMBER ...
//
//   without a question: ready DIRECT LOCKED at the start; ended ID REASON; gone ID COUNT
//
// Numbers of reasons are those of slab_protocol.h and SlabFailure; keys and tickets are in hexadecimal. One thread
// reads; it also gives back slabs when a producer asks for them. When the channel ends, leases are no longer extended,
// and the device goes on without them.
//
// A speaker never waits, since a session's thread speaks under its lock. Lines that a stopped consumer process does
// not take are kept, and its questions are not read meanwhile. So the kept lines are bounded: an answer for each
// question, and an end for each session; above kOutputMax `gone` is dropped.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <thread>

#include "base/file_descriptor.hh"
#include "session_link.hh"

namespace exopool {

class ControlChannel {
 public:
  static constexpr size_t kLineMax = 1024;         // `connect` is the longest, 600 bytes
  static constexpr size_t kOutputMax = 64 * 1024;  // kept beyond the socket's own buffer: a thousand lines

  // `on_end` is called, by the channel's thread, when the other side is gone.
  ControlChannel(int fd, PageStore *store, std::function<void()> on_end);

  // `ready` is the first line. The thread lives as long as the process.
  void Start(const std::string &ready);

 private:
  void Run();
  bool ReadMore();
  void OnLine(std::string_view line);
  void Connect(uint32_t id, class ControlLine *line);
  void GiveBackWhatIsWanted();
  void Say(const std::string &line, bool may_drop = false);
  // With mutex_: what the socket takes now.
  void Flush();
  std::string DescribeStore();
  void OnEvent(uint32_t id, const SlabEvent &event);

  const int fd_;
  PageStore *const store_;
  const std::function<void()> on_end_;
  const SessionLink::Listener listener_;
  FileDescriptor wake_;
  std::map<uint32_t, std::shared_ptr<SessionLink>> links_;
  std::string input_;
  std::mutex mutex_;                       // of what follows
  std::string output_;                     // lines that the socket did not take
  std::map<uint32_t, uint32_t> reclaims_;  // slabs that a session's producer wants back
};

}  // namespace exopool
