// SPDX-License-Identifier: Apache-2.0
// The page store as a plugin of nbdkit, which speaks NBD to the clients. The consumer process starts it:
//
//   nbdkit -f -U SOCKET exopool-nbd.so size=BYTES folder=FOLDER buffer=BYTES control=FD [sealed=false]
//
// After the consumer's end the device keeps serving its clients without leases, and ends with the last of them.
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <string>

#include "control_channel.hh"
#include "locked_memory.hh"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

using exopool::ControlChannel;
using exopool::kPageBytes;
using exopool::PageStore;

constexpr uint32_t kRequestBytesMax = 32 << 20;  // nbdkit takes up to twice that
constexpr uint64_t kExtentPagesMax = 1 << 16;    // looked at for one answer, under the store's lock

struct Settings {
  uint64_t bytes = 0;
  uint64_t buffer_bytes = 0;
  std::string folder;
  int control = -1;
  bool is_sealed = true;
};

Settings settings;
PageStore *store;  // these live as long as the process: threads use them to its end
ControlChannel *control;
std::mutex clients_mutex;
uint32_t clients = 0;
bool is_orphan = false;

// nbdkit is C: no exception may reach it.
template <typename Work>
int Guarded(Work work) {
  try {
    const int error = work();
    if (error == 0) return 0;
    nbdkit_error("%s", strerror(error));
    nbdkit_set_error(error);
  } catch (const std::exception &failure) {
    nbdkit_error("%s", failure.what());
    nbdkit_set_error(EIO);
  }
  return -1;
}

bool ParseBytes(const char *text, uint64_t *bytes) {
  const int64_t parsed = nbdkit_parse_size(text);
  *bytes = static_cast<uint64_t>(parsed);
  return parsed >= 0;
}

bool ParseFlag(const char *text, bool *flag) {
  const int parsed = nbdkit_parse_bool(text);
  *flag = parsed == 1;
  return parsed >= 0;
}

int Config(const char *key, const char *value) {
  const std::string name = key;
  if (name == "size") return ParseBytes(value, &settings.bytes) ? 0 : -1;
  if (name == "buffer") return ParseBytes(value, &settings.buffer_bytes) ? 0 : -1;
  if (name == "sealed") return ParseFlag(value, &settings.is_sealed) ? 0 : -1;
  if (name == "control") return nbdkit_parse_int("control", value, &settings.control);
  if (name != "folder") {
    nbdkit_error("there is no setting '%s'", key);
    return -1;
  }
  settings.folder = value;
  return 0;
}

int ConfigComplete() {
  const uint64_t pages = settings.bytes / kPageBytes;
  if (settings.bytes % kPageBytes == 0 && pages > 0 && pages <= PageStore::kPagesMax && settings.control >= 0 &&
      !settings.folder.empty())
    return 0;
  nbdkit_error("size (whole pages of 4 KiB), folder and control are needed");
  return -1;
}

void OnParentGone() {
  std::lock_guard<std::mutex> lock(clients_mutex);
  is_orphan = true;
  if (clients == 0) nbdkit_shutdown();
}

int GetReady() {
  return Guarded([] {
    exopool::BecomeFlusher();
    auto file = std::make_unique<exopool::BackingFile>(settings.folder, settings.bytes);
    const uint64_t frames = std::min<uint64_t>(settings.buffer_bytes / kPageBytes, exopool::kNone - 1);
    store = new PageStore(settings.bytes, static_cast<uint32_t>(frames), std::move(file), settings.is_sealed);
    control = new ControlChannel(settings.control, store, OnParentGone);
    return 0;
  });
}

int AfterFork() {
  return Guarded([] {
    store->Start();
    const bool is_locked = exopool::LockMemory();
    control->Start(std::string("ready ") + (store->is_direct() ? "1 " : "0 ") + (is_locked ? "1" : "0"));
    return 0;
  });
}

void *Open(int) {
  std::lock_guard<std::mutex> lock(clients_mutex);
  ++clients;
  return NBDKIT_HANDLE_NOT_NEEDED;
}

void Close(void *) {
  std::lock_guard<std::mutex> lock(clients_mutex);
  if (--clients == 0 && is_orphan) nbdkit_shutdown();
}

int64_t GetSize(void *) { return static_cast<int64_t>(store->bytes()); }

int BlockSize(void *, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum) {
  *minimum = 1;
  *preferred = kPageBytes;
  *maximum = kRequestBytesMax;
  return 0;
}

// All connections share one store, so a flush on one is a flush of all.
int CanMultiConn(void *) { return 1; }

// Discarded pages read as zeroes: zeroing is as quick.
int CanFastZero(void *) { return 1; }

int Pread(void *, void *buffer, uint32_t count, uint64_t offset, uint32_t) {
  return Guarded([&] { return store->Read(static_cast<uint8_t *>(buffer), count, offset); });
}

int Pwrite(void *, const void *buffer, uint32_t count, uint64_t offset, uint32_t) {
  return Guarded([&] { return store->Write(static_cast<const uint8_t *>(buffer), count, offset); });
}

int Trim(void *, uint32_t count, uint64_t offset, uint32_t) {
  return Guarded([&] { return store->Discard(count, offset); });
}

int Zero(void *, uint32_t count, uint64_t offset, uint32_t) {
  return Guarded([&] { return store->Zero(count, offset); });
}

int Flush(void *, uint32_t) {
  return Guarded([] { return store->Flush(); });
}

int Extents(void *, uint32_t count, uint64_t offset, uint32_t, nbdkit_extents *extents) {
  const uint64_t from = offset / kPageBytes;
  const uint64_t end = std::min(from + kExtentPagesMax, (offset + count + kPageBytes - 1) / kPageBytes);
  for (uint64_t page = from; page < end;) {
    bool has_data;
    const uint64_t pages = store->Stretch(page, end, &has_data);
    const uint32_t type = has_data ? 0 : NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO;
    if (nbdkit_add_extent(extents, page * kPageBytes, pages * kPageBytes, type) != 0) return -1;
    page += pages;
  }
  return 0;
}

nbdkit_plugin Describe() {
  nbdkit_plugin plugin{};
  plugin.name = "exopool";
  plugin.longname = "leased memory of other machines";
  plugin.config = Config;
  plugin.config_complete = ConfigComplete;
  plugin.get_ready = GetReady;
  plugin.after_fork = AfterFork;
  plugin.open = Open;
  plugin.close = Close;
  plugin.get_size = GetSize;
  plugin.block_size = BlockSize;
  plugin.can_multi_conn = CanMultiConn;
  plugin.can_fast_zero = CanFastZero;
  plugin.can_extents = [](void *) { return 1; };
  plugin.pread = Pread;
  plugin.pwrite = Pwrite;
  plugin.trim = Trim;
  plugin.zero = Zero;
  plugin.flush = Flush;
  plugin.extents = Extents;
  plugin.errno_is_preserved = 0;
  return plugin;
}

nbdkit_plugin plugin = Describe();

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
