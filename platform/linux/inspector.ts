import type {
  BrowserStore,
  DiskFacts,
  FileFacts,
  Inspector,
  LinkResolver,
  PeerFacts,
  UnitFacts,
} from '../../src/laptop/system/inspector.ts';
import { readPeerFacts } from '../../src/laptop/tunnel/read-wg-dump.ts';
import { diskFacts, fileFacts, namesIn } from '../unix/files.ts';
import { browserStores } from './browser-stores.ts';
import { TOOLS } from './preflight.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';
import { systemctlProperties } from './systemctl-properties.ts';
import { kernelHasWireguard, userspaceWireguard } from './tunnel/wireguard-support.ts';

const LIMIT_MS = 15_000;
const MAX_OUTPUT = 256 * 1024;

/** The Fleet agent's package is looked at with dpkg. */
const PROGRAMS = [...TOOLS, ['dpkg', 'dpkg'] as const];

/** ip-rule(8): the three that the kernel makes. */
const KERNEL_RULE =
  /^(?:0:\s+from all lookup local|32766:\s+from all lookup main|32767:\s+from all lookup default)\s*$/;

/** Reads the state of a Linux system with systemd. */
export class LinuxInspector implements Inspector {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  isRoot(): boolean {
    return process.geteuid?.() === 0;
  }

  file(path: string): Promise<FileFacts | undefined> {
    return fileFacts(at(this.#system, path));
  }

  names(folder: string): Promise<readonly string[]> {
    return namesIn(at(this.#system, folder));
  }

  disk(folder: string): Promise<DiskFacts | undefined> {
    return diskFacts(at(this.#system, folder));
  }

  async units(names: readonly string[]): Promise<readonly UnitFacts[]> {
    const properties = 'LoadState,ActiveState,UnitFileState,Result,NRestarts';
    const args = ['show', `--property=${properties}`, '--', ...names];
    // One block for each unit, in the order asked for, with an empty line between two.
    const blocks = (await this.#read('systemctl', args))?.split(/\n{2,}/u) ?? [];
    return names.map((_, index) => readUnit(blocks[index] ?? ''));
  }

  async clockSynchronised(): Promise<boolean | undefined> {
    const said = await this.#read('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
    return said === undefined || said.trim() === '' ? undefined : said.trim() === 'yes';
  }

  async interfaceFor(address: string): Promise<string | undefined> {
    const said = await this.#read('ip', ['route', 'get', address]);
    return said === undefined ? undefined : /\bdev (\S+)/u.exec(said)?.[1];
  }

  async routingRules(): Promise<readonly string[]> {
    const said = (await this.#read('ip', ['-4', 'rule', 'show'])) ?? '';
    return said
      .split('\n')
      .filter((line) => line.trim() !== '' && !KERNEL_RULE.test(line))
      .map((line) => line.trim().replaceAll(/\s+/gu, ' '));
  }

  async resolver(): Promise<readonly LinkResolver[] | undefined> {
    const ask = (verb: string): Promise<string | undefined> => this.#read('resolvectl', ['--no-pager', verb]);
    const [servers, domains, others] = await Promise.all([ask('dns'), ask('domain'), ask('default-route')]);
    if (servers === undefined || domains === undefined) return undefined;
    const [serversOf, domainsOf, othersOf] = [readLinks(servers), readLinks(domains), readLinks(others ?? '')];
    return [...new Set([...serversOf.keys(), ...domainsOf.keys()])].map((name) => ({
      interface: name,
      servers: serversOf.get(name) ?? [],
      domains: domainsOf.get(name) ?? [],
      takesOthers: othersOf.get(name)?.[0] === 'yes',
    }));
  }

  async resolve(name: string): Promise<readonly string[]> {
    // A program of its own can be ended; a lookup in this process could not.
    const said = (await this.#read('getent', ['ahosts', name])) ?? '';
    return [...new Set(said.split('\n').flatMap((line) => /^([0-9a-f.:]+)\s/iu.exec(line)?.[1] ?? []))];
  }

  async peer(interfaceName: string): Promise<PeerFacts | undefined> {
    const said = await this.#read('wg', ['show', interfaceName, 'dump']);
    return said === undefined ? undefined : readPeerFacts(said);
  }

  async wireguard(): Promise<'kernel' | 'userspace' | 'none'> {
    if (await kernelHasWireguard(this.#system)) return 'kernel';
    return (await userspaceWireguard(this.#system)) === undefined ? 'none' : 'userspace';
  }

  async missingPrograms(): Promise<readonly string[]> {
    const found = await Promise.all(PROGRAMS.map(([name]) => findProgram(this.#system, name)));
    return PROGRAMS.filter((_, index) => found[index] === undefined).map(
      ([program, package_]) => `${program} (package ${package_})`,
    );
  }

  async package(name: string): Promise<{ version: string; altered: readonly string[] } | undefined> {
    const shown = await this.#read('dpkg-query', ['--show', '--showformat=${db:Status-Status} ${Version}', name]);
    const version = /^installed (\S+)$/u.exec(shown?.trim() ?? '')?.[1];
    if (version === undefined) return undefined;
    const verified = await runTool(this.#system, {
      ...{ name: 'dpkg', args: ['--verify', name], timeoutMs: LIMIT_MS, maxOutputBytes: MAX_OUTPUT },
    });
    // `??5?????? c /path`: a digest that differs; `c` marks a file that an administrator may change.
    const altered = verified.stdout
      .toString()
      .split('\n')
      .flatMap((line) => /^(?:\S+\s+)(?!c )(\/.+)$/u.exec(line)?.[1] ?? []);
    return { version, altered };
  }

  browserStores(roots: readonly Buffer[]): Promise<readonly BrowserStore[]> {
    return browserStores(this.#system, roots);
  }

  /** What a program prints; undefined when it is not installed or fails. */
  async #read(name: string, args: readonly string[]): Promise<string | undefined> {
    if ((await findProgram(this.#system, name)) === undefined) return undefined;
    const command = { name, args, timeoutMs: LIMIT_MS, maxOutputBytes: MAX_OUTPUT };
    const { code, stdout } = await runTool(this.#system, command);
    return code === 0 ? stdout.toString() : undefined;
  }
}

function readUnit(block: string): UnitFacts {
  const { LoadState = '', ActiveState = '', UnitFileState = '', Result = '', NRestarts } = systemctlProperties(block);
  return {
    known: !['', 'not-found'].includes(LoadState),
    active: ActiveState,
    enabled: UnitFileState,
    result: Result,
    restarts: Number(NRestarts) || 0,
  };
}

/** `Link 3 (kiwi-acme): 10.77.1.30 10.77.1.31`, and a line `Global:` that belongs to no interface. */
function readLinks(text: string): Map<string, string[]> {
  const lines = text.matchAll(/^Link \d+ \(([^)\s]+)\):[ \t]*(.*)$/gmu);
  return new Map(
    [...lines].map(([, name = '', rest = '']) => [name, rest.split(/\s+/u).filter((word) => word !== '')]),
  );
}
