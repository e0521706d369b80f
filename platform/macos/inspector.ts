import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type {
  DiskFacts,
  FileFacts,
  Inspector,
  LinkResolver,
  PeerFacts,
  UnitFacts,
} from '../../src/laptop/system/inspector.ts';
import { readPeerFacts } from '../../src/laptop/tunnel/read-wg-dump.ts';
import { diskFacts, fileFacts, namesIn } from '../unix/files.ts';
import { installedVersion } from './fleet-agent.ts';
import { disabledJobs, jobState } from './launchd.ts';
import { PATHS, RECEIPTS } from './paths.ts';
import { missingTools } from './preflight.ts';
import { at, findProgram, readTool, type MacSystem } from './system.ts';
import { interfaceTo } from './tunnel/mac-tunnel.ts';
import { currentTunnels } from './tunnel/app-profile.ts';
import { interfaceOf } from './tunnel/profile.ts';
import { resolverFiles } from './tunnel/resolver-files.ts';
import { unitFacts } from './unit-facts.ts';

/** Reads the state of macOS. An interface of ours is named as everywhere else, not by macOS's number. */
export class MacInspector implements Inspector {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  isRoot(): boolean {
    return process.geteuid?.() === 0;
  }

  file(file: string): Promise<FileFacts | undefined> {
    return fileFacts(at(this.#system, file));
  }

  names(folder: string): Promise<readonly string[]> {
    return namesIn(at(this.#system, folder));
  }

  disk(folder: string): Promise<DiskFacts | undefined> {
    return diskFacts(at(this.#system, folder));
  }

  async units(names: readonly string[]): Promise<readonly UnitFacts[]> {
    const disabled = await disabledJobs(this.#system);
    return Promise.all(
      names.map(async (name) => unitFacts(name, await jobState(this.#system, name), disabled.has(name))),
    );
  }

  /** Whether it is kept at all; how well, macOS tells nobody. */
  async clockSynchronised(): Promise<boolean | undefined> {
    const said = await readTool(this.#system, { name: 'systemsetup', args: ['-getusingnetworktime'] });
    const state = /^Network Time: (On|Off)\s*$/mu.exec(said ?? '')?.[1];
    return state === undefined ? undefined : state === 'On';
  }

  async interfaceFor(address: string): Promise<string | undefined> {
    const name = await interfaceTo(this.#system, address);
    return name === undefined ? undefined : ((await currentTunnels(this.#system)).get(name) ?? name);
  }

  /** macOS has no policy routing. */
  routingRules(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  /** The files of resolver(5) that are ours; the servers for all other names are those that scutil(8) shows first. */
  async resolver(): Promise<readonly LinkResolver[] | undefined> {
    const files = (await resolverFiles(this.#system)).filter((one) => one.tunnel !== undefined);
    const said = await readTool(this.#system, { name: 'scutil', args: ['--dns'] });
    if (said === undefined) return undefined;
    const tunnels = [...new Set(files.flatMap(({ tunnel }) => tunnel ?? []))].map((tunnel) => {
      const own = files.filter((one) => one.tunnel === tunnel);
      const servers = [...new Set(own.flatMap((one) => one.servers))];
      return { interface: tunnel, servers, domains: own.map(({ domain }) => `~${domain}`), takesOthers: false };
    });
    const names = await currentTunnels(this.#system);
    return [...tunnels, ...readDefaultResolvers(said, (name) => names.get(name) ?? name)];
  }

  async resolve(name: string): Promise<readonly string[]> {
    // A program of its own can be ended; a lookup in this process could not.
    const said = await readTool(this.#system, { name: 'dscacheutil', args: ['-q', 'host', '-a', 'name', name] });
    return [...new Set([...(said ?? '').matchAll(/^ip(?:v6)?_address: ([0-9a-f.:]+)$/gmu)].map(([, one = '']) => one))];
  }

  async peer(interfaceName: string): Promise<PeerFacts | undefined> {
    const name = await interfaceOf(this.#system, interfaceName);
    const args = ['show', name ?? '', 'dump'];
    const said = name === undefined ? undefined : await readTool(this.#system, { name: 'wg', args });
    return said === undefined ? undefined : readPeerFacts(said);
  }

  async wireguard(): Promise<'userspace' | 'none'> {
    return (await findProgram(this.#system, 'wireguard-go')) === undefined ? 'none' : 'userspace';
  }

  missingPrograms(): Promise<readonly string[]> {
    return missingTools(this.#system);
  }

  async package(name: string): Promise<{ version: string; altered: readonly string[] } | undefined> {
    if (name !== 'kiwistack-enroll') return undefined;
    const version = await installedVersion(this.#system, RECEIPTS.ours);
    return version === undefined ? undefined : { version, altered: await this.#altered() };
  }

  /** A browser on macOS trusts what the keychain trusts, Firefox too since version 120. */
  browserStores(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  /** pkgutil(1) verifies nothing any more since macOS 10.14. */
  async #altered(): Promise<string[]> {
    const manifest = await readFile(at(this.#system, PATHS.manifest), 'utf8').catch(() => '');
    const altered: string[] = [];
    for (const [, hash, name = ''] of manifest.matchAll(/^([0-9a-f]{64}) {2}([\w.-]+(?:\/[\w.-]+)*)$/gmu)) {
      const file = path.join(PATHS.program, name);
      const bytes = await readFile(at(this.#system, file)).catch(() => undefined);
      if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== hash) altered.push(file);
    }
    return altered;
  }
}

/**
 * `scutil --dns`: blocks of `resolver #1`, `  nameserver[0] : 192.0.2.53`, `  if_index : 11 (en0)`. One with a domain is for that alone, and those
 * for one interface come again under "for scoped queries".
 */
export function readDefaultResolvers(said: string, nameOf: (name: string) => string): LinkResolver[] {
  const [general = ''] = said.split('DNS configuration (for scoped queries)');
  return general.split(/^resolver #\d+$/mu).flatMap((block) => {
    const servers = [...block.matchAll(/^\s*nameserver\[\d+\] : (\S{1,64})$/gmu)].map(([, server = '']) => server);
    const name = /^\s*if_index : \d+ \((\S{1,32})\)$/mu.exec(block)?.[1];
    if (servers.length === 0 || /^\s*domain\s+:/mu.test(block)) return [];
    return [{ interface: nameOf(name ?? 'macOS'), servers, domains: [], takesOthers: true }];
  });
}
