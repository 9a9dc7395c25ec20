/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slab protocol: a consumer reads and writes ranges of memory that a producer leases to it.
 *
 * Leased memory is bytes: slabs of equal size, numbered from 0 in each lease. The producer sees no keys and no values,
 * only ranges, so it needs no hash table and gives memory back by unmapping it. Everything runs over one TCP connection
 * (a session); all integers are little-endian; every message has a fixed size or a size field.
 *
 *   consumer                                              producer
 *   HELLO      ticket, ephemeral X25519 key ------------>  checks the broker's signature, itself, the time
 *              <------------- ephemeral key, signature  CHALLENGE     (producer's Ed25519 key)
 *   PROOF      signature ------------------------------->  checks it against the ticket's consumer key
 *              <-------- slabs, their size, the end, MAC  READY
 *   then frames in both directions; REFUSED with a reason, and the end, at any point before READY
 *
 * A signature covers a domain string and the SHA-256 of every byte before it in both directions, so it cannot be reused
 * elsewhere. Both directions get a MAC key of their own:
 *
 *   keys = HKDF-SHA256(secret = X25519, salt = SHA-256(HELLO CHALLENGE PROOF), info = SLAB_KEY_INFO)
 *          bytes 0..15 consumer to producer, 16..31 producer to consumer
 *
 * A frame is a header of 48 bytes and its payload. The MAC (SipHash-2-4, 16 bytes) is over the header's first 32 bytes,
 * which hold a sequence number: 1, 2, 3 ... in each direction. A wrong MAC or number ends the session. The MAC does not
 * cover the payload: the consumer's own seal protects it end to end, since the producer is not trusted. Answers come in
 * the order of their requests.
 *
 * The producer's application comes first. When it needs memory the producer asks every lease for a part of its slabs
 * (RECLAIM, with a grace period), the consumer moves the data it wants to keep and releases slabs of its choice
 * (RELEASE of one). After the grace period, or at once if the need is urgent, the producer takes the missing slabs:
 * GONE names them, and the lease goes on with the others.
 */
#ifndef EXOPOOL_SLAB_PROTOCOL_H
#define EXOPOOL_SLAB_PROTOCOL_H

#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the structures below are the wire format of a little-endian machine"
#endif

#define SLAB_MAGIC "XSLB"
#define SLAB_VERSION 2

#define SLAB_TICKET_MAGIC "XTK1"
#define SLAB_SIGN_PRODUCER "exopool slab producer v1"
#define SLAB_SIGN_CONSUMER "exopool slab consumer v1"
#define SLAB_KEY_INFO "exopool slab keys v1"

#define SLAB_KEY_BYTES 32
#define SLAB_SIGNATURE_BYTES 64
#define SLAB_MAC_BYTES 16
#define SLAB_MAC_KEY_BYTES 16
#define SLAB_TICKET_BYTES 192
#define SLAB_LEASE_ID_BYTES 16

#define SLAB_PAYLOAD_MAX (1u << 20) /* one frame delays the others of its thread by some 100 us at most */
#define SLAB_OUTSTANDING_MAX 1024   /* requests of a session in flight; more gain nothing at 25 Gb/s */
#define SLAB_SESSIONS_MAX 128       /* of a server; bounds its buffers, 6 MiB each at worst */
#define SLAB_SLABS_MAX 65536        /* of a lease: 4 TiB of 64 MiB slabs */
#define SLAB_BYTES_MAX (1u << 31)   /* of a slab: offset + length stay in 32 bits */
#define SLAB_ALL 0xffffffffu        /* RELEASE: every slab of the lease */
#define SLAB_HANDSHAKE_MS 3000      /* HELLO to READY; two round trips and four signatures, 100 times over */
#define SLAB_CLOCK_SKEW_MS 30000    /* a ticket may be issued so far in the future: clocks of two machines */

enum slab_kind {
  SLAB_HELLO = 1,
  SLAB_CHALLENGE = 2,
  SLAB_PROOF = 3,
  SLAB_READY = 4,
  SLAB_REFUSED = 5,
};

enum slab_refusal {
  SLAB_REFUSE_NONE = 0,
  SLAB_REFUSE_PROTOCOL = 1,       /* not a message that is allowed here */
  SLAB_REFUSE_VERSION = 2,        /* the prelude's version is the one that the producer speaks */
  SLAB_REFUSE_TICKET_INVALID = 3, /* malformed, not signed by the broker, another producer's, other slab size */
  SLAB_REFUSE_TICKET_EXPIRED = 4,
  SLAB_REFUSE_TICKET_EARLY = 5, /* issued in the future */
  SLAB_REFUSE_NO_MEMORY = 6,
  SLAB_REFUSE_DENIED = 7,      /* the proof is not by the ticket's consumer, or the lease is another's */
  SLAB_REFUSE_LEASE_ENDED = 8, /* released or revoked; its tickets are void */
  SLAB_REFUSE_BUSY = 9,        /* SLAB_SESSIONS_MAX are open */
  SLAB_REFUSE_TIMEOUT = 10,    /* SLAB_HANDSHAKE_MS are over */
  SLAB_REFUSALS = 11,
};

/* Starts every message before READY, and is all of REFUSED. */
struct slab_prelude {
  uint8_t magic[4];
  uint8_t version;
  uint8_t kind;    /* enum slab_kind */
  uint16_t reason; /* enum slab_refusal; 0 unless kind is SLAB_REFUSED */
};

struct slab_hello {
  struct slab_prelude prelude;
  uint8_t ephemeral[SLAB_KEY_BYTES];
  uint8_t ticket[SLAB_TICKET_BYTES];
};

struct slab_challenge {
  struct slab_prelude prelude;
  uint8_t ephemeral[SLAB_KEY_BYTES];
  uint8_t signature[SLAB_SIGNATURE_BYTES]; /* producer, over HELLO and the bytes before this field */
};

struct slab_proof {
  struct slab_prelude prelude;
  uint8_t signature[SLAB_SIGNATURE_BYTES]; /* consumer, over HELLO, CHALLENGE and the prelude */
};

struct slab_ready {
  struct slab_prelude prelude;
  uint32_t slabs;
  uint32_t slab_bytes;
  uint64_t expires_at_ms; /* Unix time */
  uint64_t reserved;
  uint8_t mac[SLAB_MAC_BYTES]; /* producer's direction, over the bytes before */
};

enum slab_type {
  SLAB_READ = 1,    /* slab, offset, length -> OK and the bytes */
  SLAB_WRITE = 2,   /* slab, offset, length = payload -> OK */
  SLAB_RELEASE = 3, /* slab -> OK; of SLAB_ALL or the last one ENDED follows; unmapped before the answer */
  SLAB_EXTEND = 4,  /* payload: a later ticket of the same lease -> OK, or the reason */
  SLAB_PING = 5,    /* -> OK */
  /* Notices of the producer, request 0. */
  SLAB_ENDED = 6,   /* the lease is over, status says why; then the end */
  SLAB_RECLAIM = 7, /* length: slabs wanted back within offset milliseconds; then they are taken */
  SLAB_GONE = 8,    /* payload: numbers of slabs (u32 each) that were released or taken */
};

enum slab_status {
  SLAB_OK = 0,
  SLAB_BAD_RANGE = 1,   /* outside of the lease, or longer than SLAB_PAYLOAD_MAX */
  SLAB_UNSUPPORTED = 2, /* a request of a newer version */
  SLAB_TICKET_BAD = 3,
  SLAB_TICKET_LATE = 4,
  SLAB_REVOKED = 5,
  SLAB_EXPIRED = 6,
  SLAB_RELEASED = 7,
  SLAB_NOT_HELD = 8,  /* the slab was released or taken */
  SLAB_OVER_RATE = 9, /* more bytes, requests or tickets a second than the lease may; wait length milliseconds */
};

struct slab_header {
  uint8_t type;   /* enum slab_type */
  uint8_t status; /* enum slab_status; 0 in a request */
  uint16_t reserved;
  uint32_t request; /* chosen by the consumer, repeated in the answer */
  uint32_t slab;
  uint32_t offset;
  uint32_t length;
  uint32_t payload_bytes; /* that follow this header */
  uint64_t sequence;
  uint8_t mac[SLAB_MAC_BYTES];
};

/* Issued by the broker; packages/memtrade/src/protocol/ticket.ts makes it. */
struct slab_ticket {
  uint8_t magic[4]; /* SLAB_TICKET_MAGIC */
  uint32_t slabs;
  uint8_t lease_id[SLAB_LEASE_ID_BYTES];
  uint8_t producer_key[SLAB_KEY_BYTES];
  uint8_t consumer_key[SLAB_KEY_BYTES];
  uint64_t issued_at_ms;
  uint64_t expires_at_ms;
  uint32_t slab_bytes;
  uint32_t serial; /* 0, then one more with each extension */
  uint8_t zeroes[16];
  uint8_t signature[SLAB_SIGNATURE_BYTES]; /* broker, over the bytes before */
};

#ifdef __cplusplus
#define SLAB_ASSERT(condition, text) static_assert(condition, text)
#else
#define SLAB_ASSERT(condition, text) _Static_assert(condition, text)
#endif
SLAB_ASSERT(sizeof(struct slab_prelude) == 8, "prelude");
SLAB_ASSERT(sizeof(struct slab_hello) == 232, "HELLO");
SLAB_ASSERT(sizeof(struct slab_challenge) == 104, "CHALLENGE");
SLAB_ASSERT(sizeof(struct slab_proof) == 72, "PROOF");
SLAB_ASSERT(sizeof(struct slab_ready) == 48, "READY");
SLAB_ASSERT(sizeof(struct slab_header) == 48, "frame header");
SLAB_ASSERT(sizeof(struct slab_ticket) == SLAB_TICKET_BYTES, "ticket");

#endif
