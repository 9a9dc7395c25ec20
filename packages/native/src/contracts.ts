/**
 * Made of the headers of this package by `node packages/native/scripts/generate-contracts.mjs`:
 * change those, and run it again.
 */

// include/table_format.h

export const EXO_TABLE_MAGIC = 'EXOTABLE';
export const EXO_TABLE_VERSION = 3;
export const EXO_PAGE_SIZE = 4096;
export const EXO_KEY_MAX = 511;
export const EXO_INLINE_VALUE_MAX = 1024;
export const EXO_VALUE_MAX = 16777216;
export const EXO_HEIGHT_MAX = 16;
export const EXO_SLOTS_MAX = 338;

export const EXO_PAGE_LEAF = 1;
export const EXO_PAGE_INTERIOR = 2;
export const EXO_PAGE_FILTER = 3;

export const EXO_VALUE_INLINE = 0;
export const EXO_VALUE_OUTLINE = 1;
export const EXO_VALUE_TOMBSTONE = 2;

/** Where the fields of `exo_table_header` are, and its size: bytes. */
export const tableHeader = {
  magic: 0,
  version: 8,
  checksum: 12,
  table_id: 16,
  root: 24,
  height: 32,
  reserved: 36,
  entries: 40,
  file_size: 48,
  leaf_pages: 56,
  interior_pages: 64,
  value_pages: 72,
  created_ms: 80,
  filter: 88,
  filter_pages: 96,
  filter_blocks: 100,
} as const;
export const tableHeaderBytes = 104;

/** Where the fields of `exo_page_header` are, and its size: bytes. */
export const pageHeader = {
  checksum: 0,
  type: 4,
  level: 5,
  count: 6,
  table_id: 8,
  offset: 16,
  prefix_len: 24,
  reserved: 26,
} as const;
export const pageHeaderBytes = 32;

/** Where the fields of `exo_slot` are, and its size: bytes. */
export const slot = { head: 0, cell: 4, suffix_len: 6 } as const;
export const slotBytes = 8;

/** Where the fields of `exo_leaf_cell` are, and its size: bytes. */
export const leafCell = { value_len: 0, kind: 2, reserved: 3 } as const;
export const leafCellBytes = 4;

/** Where the fields of `exo_interior_cell` are, and its size: bytes. */
export const interiorCell = { child: 0 } as const;
export const interiorCellBytes = 8;

/** Where the fields of `exo_value_ref` are, and its size: bytes. */
export const valueRef = { offset: 0, length: 8, checksum: 12 } as const;
export const valueRefBytes = 16;

// include/table_filter.h

export const EXO_FILTER_BLOCK_BYTES = 32;
export const EXO_FILTER_PAGE_BLOCKS = 127;

// include/loop.h

/** `exo_loop_kind`. */
export const loopKind = { file: 0, nvme: 1 } as const;

// include/driver_abi.h

/** `exo_mode`: names by number. */
export const driverModes = ['best', 'wait', 'thread', 'poll', 'irq'] as const;

/** `exo_end`: names by number. */
export const driverEnds = [
  'none',
  'done',
  'program',
  'bound',
  'outside',
  'straddle',
  'stale',
  'budget',
  'io',
  'cancelled',
] as const;

// include/traversal.h

export const TRAVERSAL_ABI = 1;
export const TRAVERSAL_INPUT_MAX = 128;
export const TRAVERSAL_BLOCK_BYTES = 4096;

/** `traversal_verdict` and `exo_traversal_end`: names by number. */
export const traversalEnds = [
  'going',
  'done',
  'notFound',
  'failed',
  'user',
  'bound',
  'outside',
  'unaligned',
  'garbage',
  'wroteInput',
  'endless',
  'io',
  'stale',
  'straddle',
] as const;

// include/read_trace.h

/** `exo_read_mark`: names by number. */
export const readMarks = [
  'before',
  'syscallIn',
  'fsIn',
  'blockIn',
  'driverIn',
  'issue',
  'driverOut',
  'complete',
  'running',
  'fsOut',
  'syscallOut',
  'after',
] as const;

// include/slab_protocol.h

export const SLAB_MAGIC = 'XSLB';
export const SLAB_VERSION = 2;
export const SLAB_TICKET_MAGIC = 'XTK1';
export const SLAB_SIGN_PRODUCER = 'exopool slab producer v1';
export const SLAB_SIGN_CONSUMER = 'exopool slab consumer v1';
export const SLAB_KEY_INFO = 'exopool slab keys v1';
export const SLAB_KEY_BYTES = 32;
export const SLAB_SIGNATURE_BYTES = 64;
export const SLAB_MAC_BYTES = 16;
export const SLAB_MAC_KEY_BYTES = 16;
export const SLAB_TICKET_BYTES = 192;
export const SLAB_LEASE_ID_BYTES = 16;
export const SLAB_PAYLOAD_MAX = 1048576;
export const SLAB_OUTSTANDING_MAX = 1024;
export const SLAB_SESSIONS_MAX = 128;
export const SLAB_SLABS_MAX = 65536;
export const SLAB_BYTES_MAX = 2147483648;
export const SLAB_ALL = 4294967295;
export const SLAB_HANDSHAKE_MS = 3000;
export const SLAB_CLOCK_SKEW_MS = 30000;

/** `slab_kind`. */
export const slabKind = { hello: 1, challenge: 2, proof: 3, ready: 4, refused: 5 } as const;

/** `slab_type`. */
export const slabType = {
  read: 1,
  write: 2,
  release: 3,
  extend: 4,
  ping: 5,
  ended: 6,
  reclaim: 7,
  gone: 8,
} as const;

/** `slab_status`. */
export const slabStatus = {
  ok: 0,
  badRange: 1,
  unsupported: 2,
  ticketBad: 3,
  ticketLate: 4,
  revoked: 5,
  expired: 6,
  released: 7,
  notHeld: 8,
  overRate: 9,
} as const;

/** `slab_refusal`: names by number. */
export const slabRefusals = [
  'none',
  'protocol',
  'version',
  'ticketInvalid',
  'ticketExpired',
  'ticketEarly',
  'noMemory',
  'denied',
  'leaseEnded',
  'busy',
  'timeout',
] as const;

/** Where the fields of `slab_ticket` are, and its size: bytes. */
export const slabTicket = {
  magic: 0,
  slabs: 4,
  lease_id: 8,
  producer_key: 24,
  consumer_key: 56,
  issued_at_ms: 88,
  expires_at_ms: 96,
  slab_bytes: 104,
  serial: 108,
  zeroes: 112,
  signature: 128,
} as const;
export const slabTicketBytes = 192;

// addon/table/engine.hh

/** `Engine`: names by number. */
export const tableEngines = [
  'pread',
  'io-uring',
  'page-cache-bpf',
  'io-uring-bpf',
  'nvme-bpf',
  'driver',
] as const;

// addon/store/entry_batch.hh

export const entryHeaderBytes = 8;
export const entryPut = 0;
export const entryDelete = 2;

// addon/slab/slab_client_events.hh

/** `SlabEventKind`. */
export const slabEventKind = { opened: 1, refused: 2, completed: 3, ended: 4, reclaim: 5, gone: 6 } as const;

/** `SlabFailure`. */
export const slabFailure = {
  unreachable: 100,
  timeout: 101,
  impostor: 102,
  protocol: 103,
  otherMemory: 104,
} as const;

// addon/cache/value_seal.hh

/** `SealMode`: names by number. */
export const sealModes = ['off', 'integrity', 'aes-128-gcm', 'paper'] as const;

// addon/machine/page_out.hh

/** Where the fields of `PageOutRange` are, and its size: words of 8 bytes. */
export const pageOutRange = { start: 0, end: 1, bytes: 2 } as const;
export const pageOutRangeWords = 3;

// addon/door/crossing.hh

/** `FindCode`. */
export const findCode = { absent: -1, notInMemory: -2, noRoom: -3, large: -4 } as const;

/** `ValueLength`. */
export const valueLength = { notFound: -1, deleted: -2, failed: -3 } as const;

/** `StreamWord`. */
export const streamWord = { token: 0, length: 1, words: 2 } as const;

/** `BatchCode`. */
export const batchCode = { unsound: -1, noMemory: -2 } as const;

/** `NumberType`: names by number. */
export const numberTypes = ['u8', 'u16le', 'u32le', 'i32le', 'f32le', 'f64le'] as const;

/** `SlabRangeWord`. */
export const slabRangeWord = { slab: 0, offset: 1, length: 2, words: 3 } as const;

/** `CacheWord`. */
export const cacheWord = { batch: 0, place: 1, length: 2, words: 3 } as const;

/** `CacheCode`. */
export const cacheCode = { missed: -1, putDone: -2, tamperedWith: -3 } as const;

/** `CacheStat`: names by number. */
export const cacheStats = [
  'hits',
  'misses',
  'puts',
  'rejected',
  'evictions',
  'tampered',
  'moved',
  'entries',
  'bytes',
  'capacityBytes',
  'metadataBytes',
] as const;

export const noToken = -1;
export const indexKeyBytes = 1536;
export const packedValuesBytesMax = 1073741824;
export const streamAnswersMax = 16;
export const scanHeaderBytes = 8;
export const clientSpinMicroseconds = 20;
export const cacheAnswersMax = 64;
