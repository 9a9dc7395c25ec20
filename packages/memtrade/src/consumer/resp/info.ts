/** The text of INFO: those fields of Redis that clients and exporters read and that have a meaning here. */
import { arch, release, type } from 'node:os';
import { redisVersion } from './connection-commands.js';
import type { ServerView } from './command-table.js';

type Section = (server: ServerView) => readonly string[];

const sections: Readonly<Record<string, Section>> = {
  Server: ({ startedAtMs, port }) => {
    const uptime = Math.floor((Date.now() - startedAtMs) / 1000);
    return [
      `redis_version:${redisVersion}`,
      'redis_mode:standalone',
      'server_name:exopool',
      `os:${type()} ${release()} ${arch()}`,
      'arch_bits:64',
      `process_id:${process.pid}`,
      `tcp_port:${port}`,
      `server_time_usec:${Date.now() * 1000}`,
      `uptime_in_seconds:${uptime}`,
      `uptime_in_days:${Math.floor(uptime / 86_400)}`,
    ];
  },
  Clients: (server) => [
    `connected_clients:${[...server.sessions()].length}`,
    `maxclients:${server.clientsMax}`,
    'blocked_clients:0',
  ],
  Memory: () => {
    const { heapUsed, rss } = process.memoryUsage();
    return [
      `used_memory:${heapUsed}`,
      `used_memory_rss:${rss}`,
      'maxmemory:0',
      'maxmemory_policy:allkeys-lru',
    ];
  },
  Persistence: () => ['loading:0', 'rdb_bgsave_in_progress:0', 'aof_enabled:0'],
  Stats: ({ counts, keyspace }) => [
    `total_connections_received:${counts.connections}`,
    `total_commands_processed:${counts.commands}`,
    `rejected_connections:${counts.rejected}`,
    `expired_keys:${keyspace.counts.expired}`,
    `evicted_keys:${keyspace.counts.lost}`,
    `keyspace_hits:${keyspace.counts.hits}`,
    `keyspace_misses:${keyspace.counts.misses}`,
    `total_error_replies:${counts.errors}`,
  ],
  Replication: () => ['role:master', 'connected_slaves:0'],
  CPU: () => {
    const { user, system } = process.cpuUsage();
    return [`used_cpu_sys:${system / 1e6}`, `used_cpu_user:${user / 1e6}`];
  },
  Cluster: () => ['cluster_enabled:0'],
  Keyspace: ({ keyspace }) =>
    keyspace.size === 0 ? [] : [`db0:keys=${keyspace.size},expires=${keyspace.expiring},avg_ttl=0`],
  Exopool: (server) => server.describeMemory(),
};

/** @param names lower case; none, `default`, `all` and `everything` mean all sections. */
export function infoText(server: ServerView, names: readonly string[]): string {
  const isAll = names.length === 0 || names.some((name) => ['default', 'all', 'everything'].includes(name));
  return Object.entries(sections)
    .filter(([name]) => isAll || names.includes(name.toLowerCase()))
    .map(
      ([name, lines]) =>
        `# ${name}\r\n${lines(server)
          .map((line) => `${line}\r\n`)
          .join('')}`,
    )
    .join('\r\n');
}
