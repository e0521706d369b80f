import { mkdir, readdir } from 'node:fs/promises';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { MARKER } from '../../../src/laptop/system/found.ts';
import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';
import { addressValue, domainValue } from '../../../src/laptop/tunnel/profile-values.ts';
import { PATHS } from '../paths.ts';
import { at, type MacSystem } from '../system.ts';

const MAX_BYTES = 16 * 1024;
const OURS = new RegExp(`^${MARKER} for (kiwi-[a-z0-9-]{1,10})\\.`, 'u');

export interface ResolverFile {
  readonly domain: string;
  /** Of ours: its tunnel. */
  readonly tunnel: string | undefined;
  readonly servers: readonly string[];
}

/**
 * The files of resolver(5) that send the names of the customer's domains, and no others, to the servers in the tunnel. They hold while the tunnel is
 * down too: then these names have no address, and nobody else is asked for them. None without servers: such a file would say nothing.
 */
export function renderResolverFiles(
  tunnel: string,
  { servers, domains }: TunnelConfig['dns'],
): ReadonlyMap<string, string> {
  if (servers.length === 0) return new Map();
  const lines = servers.map((server) => `nameserver ${addressValue(server)}`);
  const text = [`${MARKER} for ${tunnel}. \`kiwistack-enroll uninstall\` removes it.`, ...lines, 'timeout 5', ''].join(
    '\n',
  );
  return new Map(domains.map((domain) => [fileName(domain), text]));
}

/** All of them, of whatever program. */
export async function resolverFiles(system: MacSystem): Promise<ResolverFile[]> {
  const names = ((await readdir(at(system, PATHS.resolver)).catch(ignoreMissing)) ?? []).toSorted();
  const found = await Promise.all(
    names.map(async (domain) => {
      const text = await read(system, domain);
      if (text === undefined) return undefined;
      const servers = [...text.matchAll(/^nameserver\s+(\S{1,64})/gmu)].map(([, server = '']) => server);
      return { domain, tunnel: OURS.exec(text)?.[1], servers };
    }),
  );
  return found.filter((one) => one !== undefined);
}

/** Writes the tunnel's, and removes those of domains that it does not have any more. A file of another program stays as it is. */
export async function setResolverFiles(system: MacSystem, tunnel: string, dns: TunnelConfig['dns']): Promise<void> {
  const wanted = renderResolverFiles(tunnel, dns);
  const there = await resolverFiles(system);
  await removeResolverFiles(system, tunnel, new Set(wanted.keys()));
  const foreign = new Set(there.filter((one) => one.tunnel === undefined).map(({ domain }) => domain));
  for (const [domain, text] of wanted) {
    if (foreign.has(domain) || (await read(system, domain)) === text) continue;
    await mkdir(at(system, PATHS.resolver), { recursive: true, mode: 0o755 });
    await writeDurableFile(at(system, `${PATHS.resolver}/${domain}`), text, 0o644);
  }
}

export async function removeResolverFiles(
  system: MacSystem,
  tunnel: string,
  keep: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const one of await resolverFiles(system)) {
    if (one.tunnel === tunnel && !keep.has(one.domain)) {
      await removeDurableFile(at(system, `${PATHS.resolver}/${one.domain}`));
    }
  }
}

/** A domain is the name of its file; one that begins with a dot, or has an empty part, would be another. */
function fileName(domain: string): string {
  const name = domainValue(domain);
  if (!/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/u.test(name)) throw new TypeError('not a domain');
  return name;
}

/** Undefined for what is not a small file. */
async function read(system: MacSystem, domain: string): Promise<string | undefined> {
  const file = at(system, `${PATHS.resolver}/${domain}`);
  return readCappedFile(file, { maxBytes: MAX_BYTES }).then(
    (bytes) => bytes.toString(),
    () => undefined,
  );
}
