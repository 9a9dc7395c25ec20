// SPDX-License-Identifier: Apache-2.0
// The pages of the block device against a model, with producers that lie, refuse and leave. The input is steps of four
// bytes: an operation and three numbers.
//
// Cryptography is replaced by sums. Files are memory. One store serves all inputs, since it has a thread;
// each input leaves it empty. Once, the file fails and recovers.
#include <cstdlib>
#include <cstring>

#include "backing_file.cc"
#include "fuzz_target.hh"
#include "leased_places.cc"
#include "page_store.cc"
#include "page_store_leases.cc"
#include "page_store_pages.cc"
#include "write_behind.cc"

namespace exopool {

struct SealContext {};
void FreeSealContext::operator()(SealContext *) const {}
PageKey PageSeal::FreshKey() { return {}; }
PageSeal::PageSeal(const std::optional<PageKey> &) {}

namespace {

PageTag Sum(uint64_t page, uint64_t write, const uint8_t *bytes) {
  uint64_t sum = page * 0x9e3779b97f4a7c15 ^ write;
  for (size_t at = 0; at < kPageBytes; at += sizeof sum) {
    uint64_t word;
    memcpy(&word, bytes + at, sizeof word);
    sum = (sum ^ word) * 0x100000001b3;
  }
  PageTag tag{};
  memcpy(tag.data(), &sum, sizeof sum);
  return tag;
}

}  // namespace

void PageSeal::Seal(uint64_t page, uint64_t write, const uint8_t *plain, uint8_t *sealed, PageTag *tag) {
  memcpy(sealed, plain, kPageBytes);
  *tag = Sum(page, write, sealed);
}

bool PageSeal::Open(uint64_t page, uint64_t write, const PageTag &tag, const uint8_t *sealed, uint8_t *plain) {
  memcpy(plain, sealed, kPageBytes);
  return Sum(page, write, sealed) == tag;
}

}  // namespace exopool

namespace {

using namespace exopool;

// A chunk and a bit.
constexpr uint64_t kPages = PageStore::kChunkPages + 8;
constexpr uint64_t kBytes = kPages * kPageBytes;
constexpr uint32_t kSlabPages = 8;
constexpr uint32_t kSlabBytes = kSlabPages * kPageBytes;
constexpr size_t kStepBytes = 4;
constexpr size_t kStepsMax = 8;
constexpr size_t kLinksMax = 3;

void Require(bool condition) {
  if (!condition) abort();
}

class MemoryFile final : public BackingFile {
 public:
  int Read(uint64_t page, uint32_t count, uint8_t *into) override {
    std::lock_guard<std::mutex> lock(mutex_);
    memcpy(into, &bytes_[page * kPageBytes], count * size_t{kPageBytes});
    return 0;
  }
  int Write(uint64_t page, iovec *pages, uint32_t count) override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (uint32_t i = 0; i < count && !fails; ++i)
      memcpy(&bytes_[(page + i) * kPageBytes], pages[i].iov_base, kPageBytes);
    return fails ? ENOSPC : 0;
  }
  int Sync() override { return 0; }
  void Punch(uint64_t, uint64_t) override {}

  std::atomic<bool> fails{false};

 private:
  std::mutex mutex_;
  std::vector<uint8_t> bytes_ = std::vector<uint8_t>(kBytes);
};

enum class Lie : uint8_t { kNone, kFlip, kOld, kOtherPlace, kNotHeld, kOverRate, kCount };

class Producer final : public SlabLink {
 public:
  explicit Producer(uint32_t slabs) : now_(slabs * size_t{kSlabBytes}), old_(now_) {}
  void Start(SlabTransfer *transfer, uint8_t *into) override {
    std::vector<uint8_t> statuses;
    for (const SlabRequest &request : transfer->requests) {
      const size_t at = size_t{request.slab} * kSlabBytes + request.offset;
      Require(request.length % kPageBytes == 0 && request.offset + request.length <= kSlabBytes);
      Require(at + request.length <= now_.size());
      const bool refuses = lie == Lie::kNotHeld || lie == Lie::kOverRate;
      statuses.push_back(lie == Lie::kNotHeld ? SLAB_NOT_HELD : refuses ? SLAB_OVER_RATE : SLAB_OK);
      if (request.type == SLAB_READ) {
        if (!refuses) Read(at, request.length, into);
        into += request.length;
      } else if (!refuses) {
        memcpy(&old_[at], &now_[at], request.length);
        memcpy(&now_[at], request.payload, request.length);
      }
    }
    transfer->Complete(statuses, 1);
  }

  Lie lie = Lie::kNone;

 private:
  void Read(size_t at, size_t length, uint8_t *into) {
    const size_t from = lie == Lie::kOtherPlace ? (at + kPageBytes) % (now_.size() - length + 1) : at;
    memcpy(into, lie == Lie::kOld ? &old_[at] : &now_[from], length);
    if (lie == Lie::kFlip) into[length - 1] ^= 0x10;
  }

  std::vector<uint8_t> now_;
  std::vector<uint8_t> old_;
};

struct World {
  World() {
    auto owned = std::make_unique<MemoryFile>();
    file = owned.get();
    // Few frames, so that writers wait for the file.
    store = std::make_unique<PageStore>(kBytes, 0, std::move(owned));
    store->Start();
    CheckFailingFile();
  }

  void CheckFailingFile() {
    file->fails = true;
    std::vector<uint8_t> page(kPageBytes, 0x5a), read(kPageBytes);
    Require(store->Write(page.data(), kPageBytes, 0) == 0);
    Require(store->Flush() == ENOSPC);
    Require(store->Read(read.data(), kPageBytes, 0) == 0 && read == page);
    file->fails = false;
    Require(store->Flush() == 0 && store->gauges().dirty == 0);
    Require(store->Read(read.data(), kPageBytes, 0) == 0 && read == page);
    Require(store->Discard(kBytes, 0) == 0);
  }

  MemoryFile *file;
  std::unique_ptr<PageStore> store;
  std::vector<uint8_t> model = std::vector<uint8_t>(kBytes);
  std::vector<uint8_t> scratch = std::vector<uint8_t>(kBytes);
  std::vector<std::pair<uint32_t, std::shared_ptr<Producer>>> links;
  uint8_t fill = 0;

  void Compare(uint64_t offset, uint32_t length) {
    Require(store->Read(scratch.data(), length, offset) == 0);
    Require(memcmp(scratch.data(), &model[offset], length) == 0);
  }

  void Step(const uint8_t *step) {
    const uint64_t offset = (step[1] | step[2] << 8) * uint64_t{509} % kBytes;
    // Most are a page or two, some nearly the whole device.
    const uint32_t wanted = step[3] < 240 ? step[3] * 41 + 1 : step[3] * 1151;
    const auto length = static_cast<uint32_t>(std::min<uint64_t>(wanted, kBytes - offset));
    switch (step[0] % 12) {
      case 0 ... 2:
        memset(scratch.data(), ++fill, length);
        memset(&model[offset], fill, length);
        Require(store->Write(scratch.data(), length, offset) == 0);
        break;
      case 3:
      case 4:
        Compare(offset, length);
        break;
      case 5: {
        const uint64_t first = (offset + kPageBytes - 1) / kPageBytes, end = (offset + length) / kPageBytes;
        if (end > first) memset(&model[first * kPageBytes], 0, (end - first) * kPageBytes);
        Require(store->Discard(length, offset) == 0);
        break;
      }
      case 6:
        memset(&model[offset], 0, length);
        Require(store->Zero(length, offset) == 0);
        break;
      case 7:
        Require(store->Flush() == 0 && store->gauges().dirty == 0);
        break;
      default:
        Lease(step);
    }
  }

  void Lease(const uint8_t *step) {
    if (step[0] % 12 == 8) {
      const uint32_t slabs = 1 + step[1] % 3;
      const auto link = std::make_shared<Producer>(slabs);
      if (links.size() < kLinksMax) links.emplace_back(store->AddRegion(link, slabs, kSlabBytes), link);
      return;
    }
    if (links.empty()) return;
    auto &[region, link] = links[step[1] % links.size()];
    if (step[0] % 12 == 9) {
      store->RemoveRegion(region);
      links.erase(links.begin() + step[1] % links.size());
    } else if (step[0] % 12 == 10) {
      store->RemoveSlabs(region, {step[2] % 4u});
      Require(store->VacateSlabs(region, link.get(), step[3] % 2).size() <= 1);
    } else {
      link->lie = static_cast<Lie>(step[2] % static_cast<uint8_t>(Lie::kCount));
    }
  }

  void Empty() {
    for (const auto &[region, link] : links) store->RemoveRegion(region);
    links.clear();
    Require(store->Discard(kBytes, 0) == 0);
    memset(model.data(), 0, kBytes);
    const PageGauges gauges = store->gauges();
    Require(gauges.leased_used == 0 && gauges.leased_capacity == 0 && store->counters().corrupt == 0);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static World *const world = new World();
  for (size_t at = 0; at + kStepBytes <= size && at < kStepsMax * kStepBytes; at += kStepBytes) world->Step(data + at);
  world->Compare(0, kBytes);
  world->Empty();
  return 0;
}

std::vector<FuzzInput> Seeds(std::mt19937_64 &random) {
  std::vector<FuzzInput> seeds(8);
  for (FuzzInput &seed : seeds) {
    seed.resize(kStepBytes * (1 + random() % kStepsMax));
    for (uint8_t &byte : seed) byte = static_cast<uint8_t>(random());
    // Most have a producer from the start.
    if (random() % 4 > 0) seed[0] = 8;
  }
  return seeds;
}
