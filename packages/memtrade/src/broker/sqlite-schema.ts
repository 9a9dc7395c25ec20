/**
 * The broker's tables. `user_version` is the schema's version, `application_id` marks the file as a broker's.
 *
 * Amounts are billionths of a US dollar; SQLite's integers have 64 bits, so an account holds nine billion dollars.
 */

/** "EXOB". */
export const applicationId = 0x45584f42;
export const schemaVersion = 1;

export const schema = `
CREATE TABLE producers (
  key TEXT PRIMARY KEY,
  endpoint TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  id TEXT PRIMARY KEY,
  producer TEXT NOT NULL,
  consumer TEXT NOT NULL,
  slabs INTEGER NOT NULL CHECK (slabs > 0),
  slab_bytes INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  end_ms INTEGER NOT NULL,           -- of its last term
  released_ms INTEGER,
  refunded INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_live ON leases (end_ms) WHERE released_ms IS NULL;
CREATE INDEX leases_released ON leases (producer, end_ms) WHERE released_ms IS NOT NULL;
CREATE UNIQUE INDEX leases_request ON leases (consumer, request_id, producer) WHERE request_id <> '';

CREATE TABLE terms (
  lease TEXT NOT NULL REFERENCES leases (id),
  serial INTEGER NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  price INTEGER NOT NULL,
  charged INTEGER NOT NULL,
  commission INTEGER NOT NULL,
  PRIMARY KEY (lease, serial)
) STRICT, WITHOUT ROWID;

-- Double entry: the amounts of one transaction add up to zero.
CREATE TABLE transactions (
  id INTEGER PRIMARY KEY,
  time_ms INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund')),
  lease TEXT NOT NULL REFERENCES leases (id)
) STRICT;
CREATE TABLE ledger (
  transaction_id INTEGER NOT NULL REFERENCES transactions (id),
  account TEXT NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (transaction_id, account)
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
  account TEXT PRIMARY KEY,
  balance INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** Indexes for finding rows to prune. Created at every opening, since files of the same version may lack them. */
export const pruneIndexes = `
CREATE INDEX IF NOT EXISTS leases_end ON leases (end_ms);
CREATE INDEX IF NOT EXISTS transactions_lease ON transactions (lease);
`;
