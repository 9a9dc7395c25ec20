/** The market's limits, each with its reason. Broker and producer check all messages against them. */

/** The largest slab. 1 GiB is the size in the paper's market study, and a larger unmapping would take too long. */
export const slabMibMax = 1024;

/** Slabs that one producer may offer: 64 TiB in slabs of 64 MiB. More is a mistake in a report. */
export const offeredSlabsMax = 1_048_576;

/** Slabs that one request may ask for: 1 TiB in slabs of 64 MiB. */
export const requestedSlabsMax = 16_384;

/** Producers that one request is spread over: each costs a ticket to sign (5 ms) and a session to open. */
export const leasesPerRequestMax = 32;

/**
 * Registered producers: every request scans a snapshot of all of them. At the limit, the broker forgets a silent
 * producer without leases to make room.
 */
export const producersMax = 10_000;

/** Live leases: every request and every report sums them. */
export const liveLeasesMax = 100_000;

/**
 * The broker keeps a lease and its ledger lines for a week after its end: long enough to retry a call or to dispute a
 * charge. Without this limit, requesting and releasing in a loop would fill the disk.
 */
export const settledLifeMs = 7 * 86_400_000;
/** Leases that one request prunes: twice as many as it may add, so that a backlog shrinks. */
export const prunedPerRequestMax = 2 * leasesPerRequestMax;

/** Bytes of a request id: a UUID with room to spare. */
export const requestIdBytesMax = 64;

/** Bytes of a producer's endpoint: a DNS name (253) and a port. */
export const endpointBytesMax = 270;

/** Bytes of one gRPC message to the broker; the largest of them stays below 1 KiB. */
export const requestMessageBytesMax = 16 * 1024;

/** Bytes of one gRPC reply: leasesPerRequestMax leases of 0.6 KiB and room to spare. */
export const replyMessageBytesMax = 256 * 1024;

/**
 * Concurrent calls of one connection; HTTP/2 makes further calls wait at the client. So one connection can delay the
 * calls of others, such as logins, by only some milliseconds of work.
 */
export const callsPerConnectionMax = 32;

/** Subscribers of the price stream: each gets a message every {@link watchIntervalMs}. */
export const watchersMax = 256;
/** Subscriptions of one identity: a dashboard and some terminals, but not the streams of others. */
export const watchersPerIdentityMax = 8;
export const watchIntervalMs = 1000;

/** After so long a silence a producer gets no more leases. It reports every second, so five reports are missing. */
export const producerSilenceMs = 5000;

/**
 * The largest difference of clocks. A lease counts as live for so long after its end, since the producer's clock may be
 * behind the broker's, and the producer frees the slabs by its own clock.
 */
export const clockSkewMs = 5000;

/** Life of a login nonce: time for one round trip over a bad line. */
export const nonceLifeMs = 60_000;
/** Nonces and tokens in memory. The least recently used are evicted, and their owners log in again. */
export const noncesMax = 10_000;
export const sessionsMax = 10_000;
export const sessionLifeMs = 3_600_000;

/** Released leases in one reply to a producer; the next replies, a second apart, list the others. */
export const releasedPerReportMax = 256;
