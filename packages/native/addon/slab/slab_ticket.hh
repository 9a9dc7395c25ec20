// SPDX-License-Identifier: Apache-2.0
// What a producer believes of a ticket: nothing but what the broker signed, for this producer, for now.
#pragma once

#include "slab/slab_crypto.hh"

namespace exopool {

struct TicketRules {
  Key broker_key;
  Key producer_key;
  uint32_t slab_bytes;  // the server's; slabs of another size are not served
};

// SLAB_REFUSE_NONE, or why the ticket is not good at `now_ms` (Unix time).
slab_refusal CheckTicket(const slab_ticket &ticket, const TicketRules &rules, uint64_t now_ms);

}  // namespace exopool
