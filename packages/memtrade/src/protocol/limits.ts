/** The market's limits, each with its reason. Broker and producer check what they are sent against these. */

/** Slabs are 64 MiB by default; 1 GiB, as in the paper's market study, is the most a single unmapping should take. */
export const slabMibMax = 1024;

/** Slabs one producer may offer: 64 TiB in slabs of 64 MiB. More is a mistake in a report. */
export const offeredSlabsMax = 1_048_576;

/** Slabs one request may ask for: 1 TiB in slabs of 64 MiB. */
export const requestedSlabsMax = 16_384;

/** Producers one request is spread over: each costs a ticket to sign (5 ms) and a session to open. */
export const leasesPerRequestMax = 32;

/**
 * Producers that may be registered; a snapshot of all of them is looked at on every request. Above it, who is silent and
 * holds no lease is forgotten.
 */
export const producersMax = 10_000;

/** Leases that run at the same time: every request and every report adds them up. */
export const liveLeasesMax = 100_000;

/**
 * For so long after its end a lease is kept, with its lines of the ledger: nobody repeats a call so late, and whoever
 * doubts a charge has had a week. Without an end to it, requesting and releasing in a loop fills the disk.
 */
export const settledLifeMs = 7 * 86_400_000;
/** Leases forgotten by one request: twice what it may add, so that a backlog shrinks. */
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
 * Calls of one connection that are served at the same time; HTTP/2 lets the rest wait with the client. So what one
 * connection can put before the calls of others, logins above all, is some milliseconds of work.
 */
export const callsPerConnectionMax = 32;

/** Subscribers of the price stream: each gets a message every {@link watchIntervalMs}. */
export const watchersMax = 256;
/** Of one identity: a dashboard and some terminals, without taking the streams of others. */
export const watchersPerIdentityMax = 8;
export const watchIntervalMs = 1000;

/** A producer that was silent for this long is not placed on: it reports every second, so five reports are lost. */
export const producerSilenceMs = 5000;

/**
 * For so long after its end a lease still counts as held: the producer's clock may be behind the broker's, and until
 * its own clock says so it does not give the slabs to anybody else.
 */
export const clockSkewMs = 5000;

/** How long a login nonce is good for: time for one round trip over a bad line. */
export const nonceLifeMs = 60_000;
/** Nonces and tokens kept in memory; the least recently used go first, and their owners log in again. */
export const noncesMax = 10_000;
export const sessionsMax = 10_000;
export const sessionLifeMs = 3_600_000;

/** Ended-early leases told to a producer in one reply; the rest is told in the next ones, a second apart. */
export const releasedPerReportMax = 256;
