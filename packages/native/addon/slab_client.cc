// SPDX-License-Identifier: Apache-2.0
// SlabClient for JavaScript: one object for each environment, made by ../src/slab-client.ts, which turns its events
// into promises. Sessions and batches are numbers here.
#include <netdb.h>

#include "binding.hh"
#include "slab_client_loop.hh"

namespace exopool {
namespace {

std::atomic<uint64_t> next_session_id{1};

template <typename Array>
Array CopyArray(const Napi::Value &value) {
  Array out{};
  const auto bytes = value.As<Napi::Uint8Array>();
  memcpy(out.data(), bytes.Data(), std::min(out.size(), bytes.ByteLength()));
  return out;
}

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

  // On JavaScript's thread, with everything that happened since the last time.
  static void Deliver(napi_env env, napi_value callback, void *context, void *) {
    if (env == nullptr || callback == nullptr) return;
    auto *client = static_cast<SlabClient *>(context);
    const Napi::Function on_event(env, callback);
    for (SlabEvent &event : client->port_->Drain()) {
      Napi::HandleScope scope(env);
      Napi::Value statuses = Napi::Env(env).Undefined();
      if (!event.statuses.empty()) {
        statuses = Napi::Buffer<uint8_t>::Copy(env, event.statuses.data(), event.statuses.size());
      }
      on_event.Call({Number(env, static_cast<uint32_t>(event.kind)), Number(env, event.session),
                     Number(env, event.batch), Number(env, event.number), Number(env, event.more), statuses});
    }
  }

  static Napi::Value Number(napi_env env, uint64_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
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
    return Number(info.Env(), id);
  }

  // (session, batch, type, ranges: Uint32Array of slab, offset, length; payloads: Buffer[] | undefined,
  //  into: Buffer | undefined) -> false when the session is over. JavaScript keeps `into` until the batch is done.
  Napi::Value Submit(const Napi::CallbackInfo &info) {
    const auto session = loop_ == nullptr ? nullptr : loop_->Find(static_cast<uint64_t>(info[0].ToNumber().Int64Value()));
    if (!session) return Napi::Boolean::New(info.Env(), false);
    const auto batch = static_cast<uint64_t>(info[1].ToNumber().Int64Value());
    const auto type = static_cast<slab_type>(info[2].ToNumber().Uint32Value());
    const auto ranges = info[3].As<Napi::Uint32Array>();
    const bool has_payloads = info[4].IsArray();
    std::vector<SlabRequest> requests(ranges.ElementLength() / 3);
    for (size_t i = 0; i < requests.size(); ++i) {
      const uint32_t *range = ranges.Data() + 3 * i;
      requests[i] = {type, range[0], range[1], range[2], nullptr};
      if (!has_payloads) continue;
      const auto payload = info[4].As<Napi::Array>().Get(static_cast<uint32_t>(i)).As<Napi::Uint8Array>();
      requests[i].payload = payload.Data();
      requests[i].length = static_cast<uint32_t>(payload.ByteLength());
    }
    uint8_t *into = info[5].IsTypedArray() ? info[5].As<Napi::Uint8Array>().Data() : nullptr;
    return Napi::Boolean::New(info.Env(), loop_->Submit(session.get(), batch, requests, into));
  }

  void Close(const Napi::CallbackInfo &info) {
    if (loop_ != nullptr) loop_->Close(static_cast<uint64_t>(info[0].ToNumber().Int64Value()));
  }

  // (yes): whether the process must stay for what is on its way.
  void KeepAlive(const Napi::CallbackInfo &info) {
    if (info[0].ToBoolean()) {
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
