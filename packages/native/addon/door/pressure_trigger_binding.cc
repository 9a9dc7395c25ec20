// SPDX-License-Identifier: Apache-2.0
// Pressure stall triggers: the kernel reports at once when tasks have waited for memory for a given time within a
// window, without polling. One thread for each trigger sleeps in poll.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "base/file_descriptor.hh"
#include "door/binding.hh"

namespace exopool {
namespace {

class PressureTrigger : public Napi::ObjectWrap<PressureTrigger> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "PressureTrigger",
                       {
                           InstanceMethod<&PressureTrigger::Open>("open"),
                           InstanceMethod<&PressureTrigger::Close>("close"),
                       });
  }

  explicit PressureTrigger(const Napi::CallbackInfo &info) : Napi::ObjectWrap<PressureTrigger>(info) {}
  ~PressureTrigger() override { Stop(); }

 private:
  // (file, "some STALL_US WINDOW_US", onPressure) -> 0 or an errno
  Napi::Value Open(const Napi::CallbackInfo &info) {
    const std::string file = info[0].ToString();
    const std::string trigger = info[1].ToString();
    pressure_ = FileDescriptor(open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    // The kernel requires the terminating zero.
    if (pressure_.get() < 0 || write(pressure_.get(), trigger.c_str(), trigger.size() + 1) < 0)
      return Napi::Number::New(info.Env(), errno);
    stop_ = FileDescriptor(eventfd(0, EFD_CLOEXEC));
    if (stop_.get() < 0) return Napi::Number::New(info.Env(), errno);
    on_pressure_ =
        Napi::ThreadSafeFunction::New(info.Env(), info[2].As<Napi::Function>(), "exopool pressure trigger", 1, 1);
    on_pressure_.Unref(info.Env());
    try {
      thread_ = std::thread([this] { Watch(); });
    } catch (const std::system_error &error) {
      on_pressure_.Release();
      return Napi::Number::New(info.Env(), error.code().value());
    }
    napi_add_env_cleanup_hook(info.Env(), StopWithEnvironment, this);
    env_ = info.Env();
    return Napi::Number::New(info.Env(), 0);
  }

  void Close(const Napi::CallbackInfo &) { Stop(); }

  static void StopWithEnvironment(void *self) { static_cast<PressureTrigger *>(self)->Stop(); }

  void Watch() {
    pollfd watched[] = {{pressure_.get(), POLLPRI, 0}, {stop_.get(), POLLIN, 0}};
    for (;;) {
      if (poll(watched, 2, -1) < 0 && errno != EINTR) return;
      // POLLERR: the cgroup was removed.
      if (watched[1].revents != 0 || (watched[0].revents & POLLERR) != 0) return;
      // A queue of one: a report that JavaScript has not received yet need not be repeated.
      if ((watched[0].revents & POLLPRI) != 0) on_pressure_.NonBlockingCall();
    }
  }

  void Stop() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
    on_pressure_.Release();
    napi_remove_env_cleanup_hook(env_, StopWithEnvironment, this);
    pressure_.Close();
  }

  napi_env env_ = nullptr;
  FileDescriptor pressure_;
  FileDescriptor stop_;
  Napi::ThreadSafeFunction on_pressure_;
  std::thread thread_;
};

}  // namespace

void RegisterPressureTrigger(Napi::Env env, Napi::Object exports) {
  exports.Set("PressureTrigger", PressureTrigger::Define(env));
}

}  // namespace exopool
