// SPDX-License-Identifier: Apache-2.0
#include "session_link.hh"

#include <cstring>

namespace exopool {
namespace {

// No JavaScript has numbered them here.
std::atomic<uint64_t> next_session_id{1};

}  // namespace

void SessionLink::Open(const SlabTarget &target) {
  slab_ticket ticket;
  memcpy(&ticket, target.ticket.data(), sizeof ticket);
  slabs_ = ticket.slabs;
  slab_bytes_ = ticket.slab_bytes;
  session_id_ = next_session_id++;
  loop_->Add(std::make_shared<ClientSession>(session_id_, target, shared_from_this()));
}

bool SessionLink::Extend(const std::array<uint8_t, SLAB_TICKET_BYTES> &ticket) {
  return Ask({SLAB_EXTEND, 0, 0, SLAB_TICKET_BYTES, ticket.data()});
}

void SessionLink::GiveBack(uint32_t slabs) {
  const uint32_t region = region_;
  if (region == kNone) return;
  for (const uint32_t slab : store_->VacateSlabs(region, this, slabs)) Ask({SLAB_RELEASE, slab, 0, 0, nullptr});
}

bool SessionLink::Ask(const SlabRequest &request) {
  SlabTransfer transfer;
  transfer.requests.push_back(request);
  Start(&transfer, nullptr);
  transfer.Wait();
  return transfer.StatusOf(0) == SLAB_OK;
}

void SessionLink::Start(SlabTransfer *transfer, uint8_t *into) {
  const auto session = loop_->Find(session_id_);
  const auto batch = reinterpret_cast<uint64_t>(transfer);
  if (session == nullptr || !loop_->Submit(session.get(), batch, transfer->requests, into)) transfer->Refuse();
}

void SessionLink::Post(SlabEvent event) {
  switch (event.kind) {
    case SlabEventKind::kCompleted:
      reinterpret_cast<SlabTransfer *>(event.batch)->Complete(event.statuses, event.number);
      return;
    case SlabEventKind::kOpened:
      region_ = store_->AddRegion(shared_from_this(), slabs_, slab_bytes_);
      break;
    case SlabEventKind::kEnded:
      if (const uint32_t region = region_.exchange(kNone); region != kNone) store_->RemoveRegion(region);
      break;
    case SlabEventKind::kReclaim:
      listener_->on_reclaim(id_, event.number);
      return;
    case SlabEventKind::kGone:
      OnGone(event.statuses);
      break;
    case SlabEventKind::kRefused:
      break;
  }
  listener_->on_event(id_, event);
}

void SessionLink::OnGone(const std::vector<uint8_t> &numbers) {
  std::vector<uint32_t> slabs(numbers.size() / sizeof(uint32_t));
  memcpy(slabs.data(), numbers.data(), slabs.size() * sizeof(uint32_t));
  if (const uint32_t region = region_; region != kNone) store_->RemoveSlabs(region, slabs);
}

}  // namespace exopool
