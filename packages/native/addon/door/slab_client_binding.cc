// SPDX-License-Identifier: Apache-2.0
// SlabClient for JavaScript: one object for each environment, made by ../src/slab/slab-client.ts, which turns its
// events into promises. Sessions and batches are numbers here.
#include <netdb.h>

#include <iterator>

#include "door/binding.hh"
#include "door/crossing.hh"
#include "slab/slab_client_loop.hh"

namespace exopool {
namespace {

std::atomic<uint64_t> next_session_id{1};

class SlabClient : public Napi::ObjectWrap<SlabClient> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "SlabClient",
                       {
                           InstanceMethod<&SlabClient::Connect>("connect"),
                           InstanceMethod<&SlabClient::Submit>("submit"),
                           InstanceMethod<&SlabClient::Close>("close"),
                           InstanceMethod<&SlabClient::KeepAlive>("keepAlive"),
                       });
  }

  // (onEvent: (kind, session, batch, number, more, statuses?) => void)
  explicit SlabClient(const Napi::CallbackInfo &info) : Napi::ObjectWrap<SlabClient>(info), env_(info.Env()) {
    const Napi::String name = Napi::String::New(env_, "exopool slab client");
    napi_create_threadsafe_function(env_, info[0], nullptr, name, 0, 1, nullptr, nullptr, this, Deliver, &wake_);
    napi_unref_threadsafe_function(env_, wake_);
    port_ = std::make_shared<SlabEventPort>(
        [wake = wake_] { napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking); });
    Ref();
    // Hooks run in reverse order: this one before the end of the function that it must silence.
    napi_add_env_cleanup_hook(env_, EndWithEnvironment, this);
  }

 private:
  static void EndWithEnvironment(void *self) {
    auto *client = static_cast<SlabClient *>(self);
    client->port_->Close();
    if (client->loop_ != nullptr) client->loop_->CloseAll(client->port_.get());
  }

  // On JavaScript's thread, with all events since the last call. Plain Node-API, since this may run in a worker thread
  // that is being terminated: calls fail then, and node-addon-api cannot even make an exception.
  static void Deliver(napi_env env, napi_value callback, void *context, void *) {
    if (env == nullptr || callback == nullptr) return;
    auto *client = static_cast<SlabClient *>(context);
    for (const SlabEvent &event : client->port_->Drain()) {
      napi_handle_scope scope;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return;
      const bool told = Tell(env, callback, event);
      napi_close_handle_scope(env, scope);
      if (!told) return;
    }
  }

  static bool Tell(napi_env env, napi_value on_event, const SlabEvent &event) {
    const double numbers[] = {static_cast<double>(event.kind), static_cast<double>(event.session),
                              static_cast<double>(event.batch), static_cast<double>(event.number),
                              static_cast<double>(event.more)};
    constexpr size_t kNumbers = std::size(numbers);
    napi_value arguments[kNumbers + 1];
    for (size_t i = 0; i < kNumbers; ++i) {
      if (napi_create_double(env, numbers[i], &arguments[i]) != napi_ok) return false;
    }
    const size_t bytes = event.statuses.size();
    const napi_status made =
        bytes == 0 ? napi_get_undefined(env, &arguments[kNumbers])
                   : napi_create_buffer_copy(env, bytes, event.statuses.data(), nullptr, &arguments[kNumbers]);
    napi_value receiver;
    return made == napi_ok && napi_get_undefined(env, &receiver) == napi_ok &&
           napi_call_function(env, receiver, on_event, std::size(arguments), arguments, nullptr) == napi_ok;
  }

  // (host, port, seed, producerKey, ticket, timeoutMs, spinMicroseconds) -> session. `host` is an IP address.
  Napi::Value Connect(const Napi::CallbackInfo &info) {
    SlabTarget target{};
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo *found = nullptr;
    const std::string host = info[0].ToString();
    const std::string port = info[1].ToString();
    if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
      throw Napi::Error::New(info.Env(), host + " is not an IP address");
    }
    memcpy(&target.address, found->ai_addr, found->ai_addrlen);
    target.address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    target.seed = CopyArray<Key>(info[2]);
    target.producer_key = CopyArray<Key>(info[3]);
    target.ticket = CopyArray<std::array<uint8_t, SLAB_TICKET_BYTES>>(info[4]);
    target.timeout_ms = info[5].ToNumber().Uint32Value();
    loop_ = &SlabClientLoop::Get(info[6].ToNumber().Uint32Value());
    const uint64_t id = next_session_id++;
    loop_->Add(std::make_shared<ClientSession>(id, target, port_));
    return Napi::Number::New(info.Env(), static_cast<double>(id));
  }

  // (session, batch, type, ranges: Uint32Array of SlabRangeWords; payloads: Buffer[] | undefined,
  //  into: Buffer | undefined) -> false when the session is over. JavaScript keeps `into` until the batch is
  //  done.
  Napi::Value Submit(const Napi::CallbackInfo &info) {
    const auto session = loop_ == nullptr ? nullptr : loop_->Find(IdOf(info[0]));
    const auto type = static_cast<slab_type>(info[2].As<Napi::Number>().Uint32Value());
    const auto ranges = info[3].As<Napi::Uint32Array>();
    std::vector<SlabRequest> requests(ranges.ElementLength() / kRangeWords);
    for (size_t i = 0; i < requests.size(); ++i) {
      const uint32_t *range = ranges.Data() + kRangeWords * i;
      requests[i] = {type, range[kRangeSlab], range[kRangeOffset], range[kRangeLength], nullptr};
    }
    if (!session || (info[4].IsArray() && !AddPayloads(info[4], &requests))) return Napi::Boolean::New(env_, false);
    uint8_t *into = info[5].IsTypedArray() ? info[5].As<Napi::Uint8Array>().Data() : nullptr;
    return Napi::Boolean::New(env_, loop_->Submit(session.get(), IdOf(info[1]), requests, into));
  }

  // Plain Node-API for the reason that Deliver gives. False: this thread is being terminated.
  bool AddPayloads(napi_value payloads, std::vector<SlabRequest> *requests) {
    for (uint32_t i = 0; i < requests->size(); ++i) {
      napi_value payload;
      void *data;
      size_t bytes;
      if (napi_get_element(env_, payloads, i, &payload) != napi_ok) return false;
      if (napi_get_buffer_info(env_, payload, &data, &bytes) != napi_ok) return false;
      (*requests)[i].payload = static_cast<const uint8_t *>(data);
      (*requests)[i].length = static_cast<uint32_t>(bytes);
    }
    return true;
  }

  static uint64_t IdOf(const Napi::Value &value) {
    return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
  }

  void Close(const Napi::CallbackInfo &info) {
    if (loop_ != nullptr) loop_->Close(IdOf(info[0]));
  }

  // (yes): whether requests in flight keep the process alive.
  void KeepAlive(const Napi::CallbackInfo &info) {
    if (info[0].As<Napi::Boolean>()) {
      napi_ref_threadsafe_function(env_, wake_);
    } else {
      napi_unref_threadsafe_function(env_, wake_);
    }
  }

  const napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<SlabEventPort> port_;
  SlabClientLoop *loop_ = nullptr;
};

}  // namespace

void RegisterSlabClient(Napi::Env env, Napi::Object exports) { exports.Set("SlabClient", SlabClient::Define(env)); }

}  // namespace exopool
