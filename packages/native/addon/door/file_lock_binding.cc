// SPDX-License-Identifier: Apache-2.0
// flock(2): the one kind of lock that belongs to an open file, so it ends with the process, even after a kill.
#include <sys/file.h>

#include <cerrno>

#include "door/binding.hh"

namespace exopool {
namespace {

// tryLockFile(fd: number): 0 when locked, else the errno (EWOULDBLOCK: another open file has it).
Napi::Value TryLockFile(const Napi::CallbackInfo &info) {
  int status;
  do {
    status = flock(info[0].As<Napi::Number>().Int32Value(), LOCK_EX | LOCK_NB);
  } while (status != 0 && errno == EINTR);
  return Napi::Number::New(info.Env(), status == 0 ? 0 : errno);
}

}  // namespace

void RegisterFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockFile", Napi::Function::New(env, TryLockFile, "tryLockFile"));
}

}  // namespace exopool
