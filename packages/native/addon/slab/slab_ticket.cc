// SPDX-License-Identifier: Apache-2.0
#include "slab/slab_ticket.hh"

#include <cstring>

namespace exopool {

slab_refusal CheckTicket(const slab_ticket &ticket, const TicketRules &rules, uint64_t now_ms) {
  const bool well_formed = memcmp(ticket.magic, SLAB_TICKET_MAGIC, sizeof ticket.magic) == 0 && ticket.slabs > 0 &&
                           ticket.slabs <= SLAB_SLABS_MAX && ticket.slab_bytes == rules.slab_bytes &&
                           memcmp(ticket.producer_key, rules.producer_key.data(), SLAB_KEY_BYTES) == 0;
  if (!well_formed) return SLAB_REFUSE_TICKET_INVALID;
  const Bytes signed_part{&ticket, offsetof(slab_ticket, signature)};
  if (!Ed25519Verify(rules.broker_key.data(), signed_part, ticket.signature)) return SLAB_REFUSE_TICKET_INVALID;
  if (ticket.expires_at_ms <= now_ms) return SLAB_REFUSE_TICKET_EXPIRED;
  if (ticket.issued_at_ms > now_ms + SLAB_CLOCK_SKEW_MS) return SLAB_REFUSE_TICKET_EARLY;
  return SLAB_REFUSE_NONE;
}

}  // namespace exopool
