// SPDX-License-Identifier: Apache-2.0
// The checks of a ticket at a producer: it must be signed by the broker, for this producer, for now.
#pragma once

#include "slab/slab_crypto.hh"

namespace exopool {

struct TicketRules {
  Key broker_key;
  Key producer_key;
  uint32_t slab_bytes;  // the server's; slabs of another size are not served
};

// SLAB_REFUSE_NONE, or why the ticket is not valid at `now_ms` (Unix time).
slab_refusal CheckTicket(const slab_ticket &ticket, const TicketRules &rules, uint64_t now_ms);

}  // namespace exopool
