/**
 * The repository in one SQLite file: for a market that one broker process serves.
 *
 * It uses a write-ahead log with `synchronous=FULL`: a change is on disk before its caller gets an answer, so neither a
 * restart nor a power cut loses a lease. The exclusive locking mode keeps a second broker out while this process runs.
 */
import { ExopoolError } from '@exopool/shared';
import { brokerAccount, type LeaseTerm, type NanoDollars } from './market/billing.js';
import type {
  LeaseEnd,
  LeaseRecord,
  LedgerTotals,
  LedgerTransaction,
  ProducerRecord,
  Repository,
} from './repository.js';
import { inTransaction, openDatabase, sqliteError } from './sqlite-database.js';
import type { SqliteDatabase, SqliteDriver, SqliteStatement, SqliteValue } from './sqlite-driver.js';

interface LeaseRow {
  readonly id: string;
  readonly producer: string;
  readonly consumer: string;
  readonly slabs: bigint;
  readonly slab_bytes: bigint;
  readonly request_id: string;
  readonly released_ms: bigint | null;
  readonly refunded: bigint | null;
}

interface TermRow {
  readonly serial: bigint;
  readonly start_ms: bigint;
  readonly end_ms: bigint;
  readonly price: bigint;
  readonly charged: bigint;
  readonly commission: bigint;
}

export class SqliteRepository implements Repository {
  readonly #path: string;
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();

  /**
   * Opens or creates the database at `path`.
   * @throws ExopoolError `EXOPOOL_LOCKED` if another broker has it open, `EXOPOOL_CORRUPT` if it is damaged or not a
   *   broker's database, `EXOPOOL_VERSION` if a newer version wrote it.
   */
  static open(path: string, driver?: SqliteDriver): SqliteRepository {
    return new SqliteRepository(path, openDatabase(path, driver));
  }

  private constructor(path: string, database: SqliteDatabase) {
    this.#path = path;
    this.#database = database;
  }

  transaction<T>(work: () => T): T {
    return this.#guard(() => inTransaction(this.#database, work));
  }

  saveProducer(producer: ProducerRecord): void {
    this.#run(
      'INSERT INTO producers VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET endpoint = excluded.endpoint',
      producer.key,
      producer.endpoint,
    );
  }

  removeProducer(key: string): void {
    this.#run('DELETE FROM producers WHERE key = ?', key);
  }

  producers(): ProducerRecord[] {
    return this.#all<ProducerRecord>('SELECT key, endpoint FROM producers');
  }

  insertLease(lease: LeaseRecord): void {
    const { id, producer, consumer, slabs, slabBytes, requestId } = lease;
    const insert = `INSERT INTO leases (id, producer, consumer, slabs, slab_bytes, request_id, end_ms)
      VALUES (?, ?, ?, ?, ?, ?, 0)`;
    this.#run(insert, id, producer, consumer, slabs, slabBytes, requestId);
    for (const term of lease.terms) this.addTerm(id, term);
  }

  addTerm(leaseId: string, term: LeaseTerm): void {
    const { serial, startMs, endMs, price, charged, commission } = term;
    this.#run(
      'INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?, ?)',
      leaseId,
      serial,
      startMs,
      endMs,
      price,
      charged,
      commission,
    );
    this.#run('UPDATE leases SET end_ms = ? WHERE id = ?', endMs, leaseId);
  }

  markReleased(leaseId: string, atMs: number, refunded: NanoDollars): void {
    this.#run('UPDATE leases SET released_ms = ?, refunded = ? WHERE id = ?', atMs, refunded, leaseId);
  }

  lease(id: string): LeaseRecord | undefined {
    return this.#all<LeaseRow>('SELECT * FROM leases WHERE id = ?', id).map((row) => this.#leaseOf(row))[0];
  }

  leasesOfRequest(consumer: string, requestId: string): LeaseRecord[] {
    const select = "SELECT * FROM leases WHERE consumer = ? AND request_id = ? AND request_id <> ''";
    return this.#all<LeaseRow>(select, consumer, requestId).map((row) => this.#leaseOf(row));
  }

  live(afterMs: number): { leases: number; slabsByProducer: Map<string, number> } {
    const rows = this.#all<{ producer: string; leases: bigint; slabs: bigint }>(
      `SELECT producer, COUNT(*) AS leases, SUM(slabs) AS slabs FROM leases
       WHERE released_ms IS NULL AND end_ms > ? GROUP BY producer`,
      afterMs,
    );
    return {
      leases: rows.reduce((sum, row) => sum + Number(row.leases), 0),
      slabsByProducer: new Map(rows.map((row) => [row.producer, Number(row.slabs)])),
    };
  }

  releasedLeases(producer: string, after: LeaseEnd, limit: number): LeaseEnd[] {
    const rows = this.#all<{ end_ms: bigint; id: string }>(
      `SELECT end_ms, id FROM leases WHERE released_ms IS NOT NULL AND producer = ? AND (end_ms, id) > (?, ?)
       ORDER BY end_ms, id LIMIT ?`,
      producer,
      after.endMs,
      after.id,
      limit,
    );
    return rows.map((row) => ({ endMs: Number(row.end_ms), id: row.id }));
  }

  prune(endedByMs: number, limit: number): number {
    const select = 'SELECT id FROM leases WHERE end_ms <= ? ORDER BY end_ms LIMIT ?';
    const ended = this.#all<{ id: string }>(select, endedByMs, limit);
    for (const { id } of ended) {
      const transactions = 'SELECT id FROM transactions WHERE lease = ?';
      this.#run(`DELETE FROM ledger WHERE transaction_id IN (${transactions})`, id);
      this.#run('DELETE FROM transactions WHERE lease = ?', id);
      this.#run('DELETE FROM terms WHERE lease = ?', id);
      this.#run('DELETE FROM leases WHERE id = ?', id);
    }
    return ended.length;
  }

  post(transaction: LedgerTransaction): void {
    const sum = transaction.postings.reduce((total, posting) => total + posting.amount, 0n);
    if (sum !== 0n)
      throw new ExopoolError('EXOPOOL_INTERNAL', `a transaction is out of balance by ${String(sum)}`);
    const { timeMs, kind, leaseId } = transaction;
    const insert = 'INSERT INTO transactions (time_ms, kind, lease) VALUES (?, ?, ?)';
    const id = this.#run(insert, timeMs, kind, leaseId).lastInsertRowid;
    for (const { account, amount } of transaction.postings) {
      this.#run('INSERT INTO ledger VALUES (?, ?, ?)', id, account, amount);
      this.#run(
        'INSERT INTO accounts VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET balance = balance + excluded.balance',
        account,
        amount,
      );
    }
  }

  totals(): LedgerTotals {
    const [row] = this.#all<{ revenue: bigint | null; commission: bigint | null; balance: bigint | null }>(
      `SELECT -SUM(balance) FILTER (WHERE account LIKE 'consumer:%') AS revenue,
        SUM(balance) FILTER (WHERE account = ?) AS commission, SUM(balance) AS balance FROM accounts`,
      brokerAccount,
    );
    return { revenue: row?.revenue ?? 0n, commission: row?.commission ?? 0n, balance: row?.balance ?? 0n };
  }

  close(): void {
    this.#database.close();
  }

  #leaseOf(row: LeaseRow): LeaseRecord {
    const terms = this.#all<TermRow>('SELECT * FROM terms WHERE lease = ? ORDER BY serial', row.id);
    return {
      id: row.id,
      producer: row.producer,
      consumer: row.consumer,
      slabs: Number(row.slabs),
      slabBytes: Number(row.slab_bytes),
      requestId: row.request_id,
      released:
        row.released_ms === null
          ? undefined
          : { atMs: Number(row.released_ms), refunded: row.refunded ?? 0n },
      terms: terms.map((term) => ({
        serial: Number(term.serial),
        startMs: Number(term.start_ms),
        endMs: Number(term.end_ms),
        price: term.price,
        charged: term.charged,
        commission: term.commission,
      })),
    };
  }

  #run(sql: string, ...values: SqliteValue[]): ReturnType<SqliteStatement['run']> {
    return this.#guard(() => this.#prepared(sql).run(...values));
  }

  #all<Row>(sql: string, ...values: SqliteValue[]): Row[] {
    return this.#guard(() => this.#prepared(sql).all(...values) as Row[]);
  }

  #prepared(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteError(error, this.#path);
    }
  }
}
