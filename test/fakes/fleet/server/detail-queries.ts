import { now, type Host } from './host-store.ts';

type Row = Readonly<Record<string, string>>;

interface DetailQuery {
  readonly query: string;
  /** A query that says whether the table is there at all; osquery skips the query when it gives no row. */
  readonly discovery?: string;
  readonly ingest: (host: Host, row: Row) => void;
}

const PREFIX = 'fleet_detail_query_';

/** The details that make a host complete in Fleet; the real server asks more, and a host answers these the same way. */
const DETAIL_QUERIES: Readonly<Record<string, DetailQuery>> = {
  system_info: { query: 'select * from system_info limit 1', ingest: ingestSystemInfo },
  osquery_info: { query: 'select * from osquery_info limit 1', ingest: ingestOsqueryInfo },
  os_version: { query: 'select * from os_version limit 1', ingest: ingestOsVersion },
  uptime: {
    query: 'select * from uptime limit 1',
    ingest: (host, row) => {
      host.uptimeSeconds = Number(row['total_seconds'] ?? 0);
    },
  },
  orbit_info: {
    query: 'SELECT * FROM orbit_info',
    discovery: "SELECT 1 FROM osquery_registry WHERE active = true AND registry = 'table' AND name = 'orbit_info'",
    ingest: (host, row) => {
      host.orbitVersion = row['version'] ?? null;
    },
  },
};

/** The queries of one distributed/read, by their full names. */
export function detailQueries(): { queries: Record<string, string>; discovery: Record<string, string> } {
  const entries = Object.entries(DETAIL_QUERIES);
  return {
    queries: Object.fromEntries(entries.map(([name, detail]) => [PREFIX + name, detail.query])),
    discovery: Object.fromEntries(
      entries.flatMap(([name, { discovery }]) => (discovery === undefined ? [] : [[PREFIX + name, discovery]])),
    ),
  };
}

/** Takes the answers of one distributed/write into the host. Failed and unknown queries are passed over. */
export function ingestDetails(
  host: Host,
  answers: Readonly<Record<string, readonly Row[]>>,
  statuses: Readonly<Record<string, number>>,
): void {
  let ingested = false;
  for (const [name, rows] of Object.entries(answers)) {
    if (!name.startsWith(PREFIX)) continue;
    const detail = DETAIL_QUERIES[name.slice(PREFIX.length)];
    const row = rows[0];
    if (!detail || !row || (statuses[name] ?? 0) !== 0) continue;
    detail.ingest(host, row);
    ingested = true;
  }
  if (ingested) host.detailUpdatedAt = now();
}

/** Takes what osqueryd tells about the host while enrolling; the details proper follow through the queries. */
export function ingestEnrollDetails(host: Host, details: Readonly<Record<string, Row>>): void {
  if (details['system_info']) ingestSystemInfo(host, details['system_info']);
  if (details['osquery_info']) ingestOsqueryInfo(host, details['osquery_info']);
  if (details['os_version']) ingestOsVersion(host, details['os_version']);
}

function ingestSystemInfo(host: Host, row: Row): void {
  host.uuid = row['uuid'] ?? host.uuid;
  host.hardwareSerial = row['hardware_serial'] ?? host.hardwareSerial;
  host.hardwareModel = row['hardware_model'] ?? host.hardwareModel;
  host.hardwareVendor = row['hardware_vendor'] ?? host.hardwareVendor;
  host.hostname = row['hostname'] ?? host.hostname;
  host.computerName = row['computer_name'] ?? host.computerName;
}

function ingestOsqueryInfo(host: Host, row: Row): void {
  host.osqueryVersion = row['version'] ?? host.osqueryVersion;
}

function ingestOsVersion(host: Host, row: Row): void {
  host.osVersion = `${row['name'] ?? ''} ${row['version'] ?? ''}`.trim();
  host.platform = row['platform'] ?? host.platform;
  host.platformLike = row['platform_like'] ?? host.platformLike;
}
