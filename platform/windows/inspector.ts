import { constants } from 'node:fs';
import { access, lstat, readdir, readFile, statfs } from 'node:fs/promises';
import path from 'node:path';

import { sha256 } from '../../src/core/bytes.ts';
import { ignoreMissing } from '../../src/core/durable-file.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import { readPeerFacts } from '../../src/laptop/tunnel/read-wg-dump.ts';
import type {
  DiskFacts,
  FileFacts,
  Inspector,
  LinkResolver,
  PeerFacts,
  UnitFacts,
} from '../../src/laptop/system/inspector.ts';
import { adapters } from './adapters.ts';
import { installedProducts } from './fleet-agent.ts';
import { securityOf } from './folders.ts';
import { callHelper } from './helper.ts';
import { isElevated } from './is-elevated.ts';
import { UPGRADE_CODES } from './paths.ts';
import { TOOLS } from './preflight.ts';
import { resolveName } from './resolve-name.ts';
import { readSecurity } from './sddl.ts';
import { services, wordsFor } from './services.ts';
import { exists, missing, programPath, runTool, type WindowsSystem } from './system.ts';
import { nameRules } from './tunnel/nrpt.ts';
import { whoAmI } from './who-am-i.ts';

/** In the folder of the program: `SHA-256  NAME`, a line for each file of the package. */
const MANIFEST = 'files.sha256';

/** Reads the state of Windows. */
export class WindowsInspector implements Inspector {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  isRoot(): boolean {
    return isElevated(this.#system);
  }

  async file(file: string): Promise<FileFacts | undefined> {
    const found = await lstat(file).catch(ignoreMissing);
    const security = found && (await securityOf(this.#system, file));
    if (found === undefined || security === undefined) return undefined;
    const { sid } = await whoAmI(this.#system);
    const { ownedByUs, mode } = readSecurity(security.security, sid);
    return { kind: security.kind, mode, uid: ownedByUs ? 0 : 1, modifiedAt: found.mtimeMs };
  }

  async names(folder: string): Promise<readonly string[]> {
    return ((await readdir(folder).catch(ignoreMissing)) ?? []).toSorted();
  }

  async disk(folder: string): Promise<DiskFacts | undefined> {
    const found = await statfs(folder).catch(ignoreMissing);
    if (found === undefined) return undefined;
    const writable = await access(folder, constants.W_OK).then(
      () => true,
      (error: unknown) => systemErrorCode(error) !== 'EROFS',
    );
    // NTFS makes room for new files as it needs it.
    const fileSystem = path.win32.parse(folder).root;
    return { writable, freeBytes: found.bavail * found.bsize, freeInodes: undefined, fileSystem };
  }

  async units(names: readonly string[]): Promise<readonly UnitFacts[]> {
    const found = new Map((await services(this.#system, names)).map((one) => [one.name, one]));
    return names.map((name) => {
      const one = found.get(name) ?? { name, known: false };
      return { known: one.known, ...wordsFor(one), restarts: 0 };
    });
  }

  /** Windows' time service says it only in the language of Windows. */
  clockSynchronised(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async interfaceFor(address: string): Promise<string | undefined> {
    const { code, stdout } = await callHelper(this.#system, ['route-to', address]);
    const index = code === 0 ? Number(/"index":(\d+)/u.exec(stdout.toString())?.[1]) : Number.NaN;
    return (await adapters(this.#system)).find((one) => one.index === index)?.name;
  }

  /** Windows has no policy routing. */
  routingRules(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async resolver(): Promise<readonly LinkResolver[]> {
    const rules = (await nameRules(this.#system)).map(({ tunnel, servers, domains }) => ({
      ...{ interface: tunnel, servers, domains: domains.map((name) => `~${name}`), takesOthers: false },
    }));
    const links = (await adapters(this.#system))
      .filter(
        ({ up, dnsServers, name }) => up && dnsServers.length > 0 && rules.every((rule) => rule.interface !== name),
      )
      .map(({ name, dnsServers }) => ({ interface: name, servers: dnsServers, domains: [], takesOthers: true }));
    return [...rules, ...links];
  }

  resolve(name: string): Promise<readonly string[]> {
    return resolveName(this.#system, name);
  }

  async peer(interfaceName: string): Promise<PeerFacts | undefined> {
    const { code, stdout } = await runTool(this.#system, { name: 'wg', args: ['show', interfaceName, 'dump'] });
    const text = code === 0 ? stdout.toString().replaceAll('\r', '') : '';
    stdout.fill(0);
    return readPeerFacts(text);
  }

  async wireguard(): Promise<'kernel' | 'none'> {
    return (await exists(programPath(this.#system, 'wireguard'))) ? 'kernel' : 'none';
  }

  async missingPrograms(): Promise<readonly string[]> {
    const absent = new Set(
      await missing(
        this.#system,
        TOOLS.map(([name]) => name),
      ),
    );
    return TOOLS.filter(([name]) => absent.has(name)).map(([name, from]) => `${name}.exe (${from})`);
  }

  async package(name: string): Promise<{ version: string; altered: readonly string[] } | undefined> {
    if (name !== 'kiwistack-enroll') return undefined;
    const [installed] = await installedProducts(this.#system, UPGRADE_CODES[name]);
    return installed && { version: installed.version, altered: await this.#altered() };
  }

  /** A browser on Windows trusts what Windows trusts, Firefox too since version 120. */
  browserStores(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async #altered(): Promise<string[]> {
    const folder = this.#system.program;
    const manifest = await readFile(path.join(folder, MANIFEST), 'utf8').catch(() => '');
    const altered: string[] = [];
    for (const [, hash, name = ''] of manifest.matchAll(/^([0-9a-f]{64}) {2}([\w.-]+(?:\/[\w.-]+)*)$/gmu)) {
      const file = path.join(folder, ...name.split('/'));
      const bytes = await readFile(file).catch(() => undefined);
      if (bytes === undefined || sha256(bytes).toString('hex') !== hash) altered.push(file);
    }
    return altered;
  }
}
