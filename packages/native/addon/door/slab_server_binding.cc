// SPDX-License-Identifier: Apache-2.0
// SlabServer for JavaScript: ../src/slab/slab-server.ts checks the arguments and documents them.
#include <system_error>

#include "base/clock.hh"
#include "door/binding.hh"
#include "slab/slab_server_loop.hh"

namespace exopool {
namespace {

// A snapshot that the server's thread takes.
struct Snapshot {
  SlabCounters counters;
  double sessions = 0, leases = 0, leased_slabs = 0, capacity_slabs = 0, mapped_bytes = 0, cpu_seconds = 0;
  double taken_slabs = 0, released_slabs = 0;
};

class SlabServer : public Napi::ObjectWrap<SlabServer> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "SlabServer",
                       {
                           InstanceMethod<&SlabServer::Port>("port"),
                           InstanceMethod<&SlabServer::SetCapacity>("setCapacity"),
                           InstanceMethod<&SlabServer::Admit>("admit"),
                           InstanceMethod<&SlabServer::Ask>("ask"),
                           InstanceMethod<&SlabServer::Take>("take"),
                           InstanceMethod<&SlabServer::SetBrokerKey>("setBrokerKey"),
                           InstanceMethod<&SlabServer::Revoke>("revoke"),
                           InstanceMethod<&SlabServer::Leases>("leases"),
                           InstanceMethod<&SlabServer::LeasedSlabs>("leasedSlabs"),
                           InstanceMethod<&SlabServer::Stats>("stats"),
                           InstanceMethod<&SlabServer::Close>("close"),
                       });
  }

  // (host, port, seed, brokerKey, slabBytes, capacitySlabs, spinMicroseconds, bytesPerSecond,
  //  requestsPerSecond, burstSeconds, cpuShareMax)
  explicit SlabServer(const Napi::CallbackInfo &info) : Napi::ObjectWrap<SlabServer>(info) {
    const auto real = [&info](size_t index) { return info[index].ToNumber().DoubleValue(); };
    const LeaseRates rates{real(7) / 1e3, real(8) / 1e3, real(9) * 1e3};
    auto service = std::make_unique<SlabService>(CopyArray<Key>(info[2]), CopyArray<Key>(info[3]), Number(info[4]),
                                                 Number(info[5]), rates);
    try {
      loop_ = std::make_unique<SlabServerLoop>(info[0].ToString(), Number(info[1]), std::move(service), Number(info[6]),
                                               real(10));
    } catch (const std::system_error &error) {
      Napi::Error thrown = Napi::Error::New(info.Env(), error.code().message());
      thrown.Set("code", error.code().value() == EADDRINUSE      ? "EADDRINUSE"
                         : error.code().value() == EACCES        ? "EACCES"
                         : error.code().value() == EADDRNOTAVAIL ? "EADDRNOTAVAIL"
                                                                 : "EIO");
      throw thrown;
    }
    // A server without a reference keeps serving. It stops before its environment ends (that of a worker thread, say).
    Ref();
    napi_add_env_cleanup_hook(info.Env(), StopWithEnvironment, this);
  }

 private:
  static void StopWithEnvironment(void *self) { static_cast<SlabServer *>(self)->loop_.reset(); }

  static uint32_t Number(const Napi::Value &value) { return value.ToNumber().Uint32Value(); }

  Napi::Value Port(const Napi::CallbackInfo &info) { return Napi::Number::New(info.Env(), loop_->port()); }

  void SetCapacity(const Napi::CallbackInfo &info) {
    const uint32_t slabs = Number(info[0]);
    loop_->Run([&](SlabService &service) { service.leases.SetCapacity(slabs); });
  }

  void Admit(const Napi::CallbackInfo &info) {
    const uint32_t slabs = Number(info[0]);
    loop_->Run([&](SlabService &service) { service.leases.Admit(slabs); });
  }

  // (leaseId, slabs, graceMs) -> false: no such lease
  Napi::Value Ask(const Napi::CallbackInfo &info) {
    const auto id = CopyArray<LeaseId>(info[0]);
    const uint32_t slabs = Number(info[1]), grace_ms = Number(info[2]);
    bool found = false;
    loop_->Run([&](SlabService &service) { found = service.leases.Ask(id, slabs, grace_ms); });
    return Napi::Boolean::New(info.Env(), found);
  }

  // (leaseId, slabs) -> slabs taken
  Napi::Value Take(const Napi::CallbackInfo &info) {
    const auto id = CopyArray<LeaseId>(info[0]);
    const uint32_t slabs = Number(info[1]);
    uint32_t taken = 0;
    loop_->Run([&](SlabService &service) { taken = service.leases.Take(id, slabs); });
    return Napi::Number::New(info.Env(), taken);
  }

  void SetBrokerKey(const Napi::CallbackInfo &info) {
    const auto key = CopyArray<Key>(info[0]);
    loop_->Run([&](SlabService &service) { service.rules.broker_key = key; });
  }

  Napi::Value Revoke(const Napi::CallbackInfo &info) {
    const auto id = CopyArray<LeaseId>(info[0]);
    bool found = false;
    loop_->Run([&](SlabService &service) { found = service.leases.End(id, SLAB_REVOKED); });
    return Napi::Boolean::New(info.Env(), found);
  }

  Napi::Value Leases(const Napi::CallbackInfo &info) {
    struct Row {
      LeaseId id;
      Key consumer_key;
      uint32_t slabs;
      uint64_t age;
      double expires_at_ms;
    };
    std::vector<Row> rows;
    loop_->Run([&](SlabService &service) {
      for (const auto &[id, lease] : service.leases.leases()) {
        rows.push_back({id, lease->consumer_key, lease->held, lease->age, static_cast<double>(lease->expires_at_ms)});
      }
    });
    Napi::Array out = Napi::Array::New(info.Env(), rows.size());
    for (uint32_t i = 0; i < rows.size(); ++i) {
      Napi::Object row = Napi::Object::New(info.Env());
      row.Set("leaseId", Napi::Buffer<uint8_t>::Copy(info.Env(), rows[i].id.data(), rows[i].id.size()));
      row.Set("consumerKey",
              Napi::Buffer<uint8_t>::Copy(info.Env(), rows[i].consumer_key.data(), rows[i].consumer_key.size()));
      row.Set("slabs", rows[i].slabs);
      row.Set("order", static_cast<double>(rows[i].age));
      row.Set("expiresAtMs", rows[i].expires_at_ms);
      out.Set(i, row);
    }
    return out;
  }

  Napi::Value LeasedSlabs(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), loop_->leased_slabs());
  }

  Napi::Value Stats(const Napi::CallbackInfo &info) {
    Snapshot now;
    loop_->Run([&](SlabService &service) {
      now.counters = service.counters;
      now.sessions = static_cast<double>(loop_->sessions());
      now.leases = static_cast<double>(service.leases.leases().size());
      now.leased_slabs = service.leases.leased_slabs();
      now.capacity_slabs = service.leases.capacity_slabs();
      now.mapped_bytes = static_cast<double>(service.leases.mapped_bytes());
      now.taken_slabs = static_cast<double>(service.leases.taken_slabs());
      now.released_slabs = static_cast<double>(service.leases.released_slabs());
      now.cpu_seconds = ThreadCpuSeconds();
    });
    Napi::Array refused = Napi::Array::New(info.Env(), SLAB_REFUSALS);  // by enum slab_refusal
    for (uint32_t reason = 0; reason < SLAB_REFUSALS; ++reason) {
      refused.Set(reason, static_cast<double>(now.counters.refused[reason]));
    }
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("sessions", now.sessions);
    out.Set("leases", now.leases);
    out.Set("leasedSlabs", now.leased_slabs);
    out.Set("capacitySlabs", now.capacity_slabs);
    out.Set("mappedBytes", now.mapped_bytes);
    out.Set("reads", static_cast<double>(now.counters.reads));
    out.Set("writes", static_cast<double>(now.counters.writes));
    out.Set("bytesRead", static_cast<double>(now.counters.bytes_read));
    out.Set("bytesWritten", static_cast<double>(now.counters.bytes_written));
    out.Set("overRate", static_cast<double>(now.counters.over_rate));
    out.Set("takenSlabs", now.taken_slabs);
    out.Set("releasedSlabs", now.released_slabs);
    out.Set("refused", refused);
    out.Set("cpuSeconds", now.cpu_seconds);
    return out;
  }

  void Close(const Napi::CallbackInfo &info) {
    if (!loop_) return;
    loop_.reset();
    napi_remove_env_cleanup_hook(info.Env(), StopWithEnvironment, this);
    Unref();
  }

  std::unique_ptr<SlabServerLoop> loop_;
};

}  // namespace

void RegisterSlabServer(Napi::Env env, Napi::Object exports) { exports.Set("SlabServer", SlabServer::Define(env)); }

}  // namespace exopool
