import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { fleetFiles } from '../fakes/fleet/server/files.ts';
import { buildFleetPackage } from '../fakes/fleet/build-package.ts';
import { Lab, type Laptop, type LaptopSettings, type Room } from '../lab/lab.ts';
import type { RunResult } from '../lab/run-in-room.ts';
import { VirtualYubiKeyControl, type TouchMode } from '../virtual-yubikey/control.ts';
import { makeKey } from '../virtual-yubikey/key/make-key.ts';
import { makeRoot } from '../virtual-yubikey/key/make-root.ts';
import { startIntranet } from './intranet.ts';
import { startInRoom, type LongRunning } from './long-running.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..');
const NODE = path.join(REPOSITORY, 'node_modules', '.bin', 'node');
export const script = (name: string): string[] => [NODE, path.join(REPOSITORY, name)];

/** The program built for the tests, if the suite has built it (build-test-program.ts); else the sources. */
const built = process.env['KIWISTACK_TEST_PROGRAM'];
export const CLI =
  built === undefined ? script('src/apps/enroll/main.ts') : [NODE, path.join(built, 'kiwistack-enroll.js')];
export const SLICE = script('src/apps/slice/main.ts');
export const OPERATOR = script('src/apps/operator/main.ts');
export const MSP = script('src/apps/msp/main.ts');

/** Factory PIN of the virtual keys. */
export const PIN = '123456';
export const FLEET_URL = 'https://10.77.1.20:8412';
export const INTRANET_URL = 'https://10.77.1.30/';
export const GATEWAY_URL = 'https://enroll.acme.example';

export interface WorldOptions {
  /** A folder of its own; everything lies below it. */
  readonly dir: string;
  /** Receives what is being built, for a person who waits. */
  readonly progress?: (what: string) => void;
  /** Ends what is being built; `create` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Added to `kiwistack-slice init`. */
  readonly initArgs?: readonly string[];
  /** What can be done as soon as the slice has its files, beside its start. */
  readonly meanwhile?: (world: World) => Promise<unknown>;
}

export interface Reader extends LongRunning {
  readonly control: VirtualYubiKeyControl;
}

export interface EnrollResult extends RunResult {
  /** What `--json` printed. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** The last event. */
  readonly result: Readonly<Record<string, unknown>>;
}

/**
 * A customer with everything that an enrollment involves: an internet, a slice with its CA and endpoint, a Fleet server
 * and an intranet host inside, YubiKeys, laptops. All in namespaces; the host stays unchanged. Demo, end-to-end tests
 * and benchmark run in it.
 */
export class World {
  readonly dir: string;
  readonly lab: Lab;
  readonly sliceDir: string;
  readonly fleetDir: string;
  #slice: LongRunning | undefined;
  #fleet: LongRunning | undefined;
  #intranet: LongRunning | undefined;
  #readers = 0;
  #publicDir: Promise<string> | undefined;

  private constructor(dir: string, lab: Lab) {
    this.dir = dir;
    this.lab = lab;
    this.sliceDir = path.join(dir, 'slice', 'acme');
    this.fleetDir = path.join(dir, 'private', 'fleet');
  }

  /** A running slice of Acme GmbH, with Fleet and an intranet host, without keys and laptops. */
  static async create({ dir, progress, initArgs, signal, meanwhile }: WorldOptions): Promise<World> {
    const say = (what: string): void => {
      signal?.throwIfAborted();
      progress?.(what);
    };
    say('the internet, the slice and its internal network');
    const world = new World(dir, await Lab.create({ dir }));
    // Whatever is being started in a room ends with it.
    signal?.addEventListener('abort', () => void world.destroy(), { once: true });
    try {
      await mkdir(path.join(dir, 'keys'), { recursive: true, mode: 0o700 });
      makeRoot(world.yubicoDir);
      say('a Fleet server and the package of its agent');
      const [package_] = await Promise.all([
        buildFleetPackage({ outDir: path.join(dir, 'private', 'packages') }),
        world.startFleet(),
      ]);
      say("the provider's root, the customer's CA, step-ca, gateway and WireGuard endpoint");
      await world.#initSlice(package_.path, initArgs ?? []);
      const intranet = startIntranet(world.lab.inside, world.sliceDir, path.join(dir, 'private'));
      const [, started] = await Promise.all([world.startSlice(), intranet, meanwhile?.(world)]);
      world.#intranet = started;
      signal?.throwIfAborted();
    } catch (error) {
      await world.destroy();
      throw error;
    }
    return world;
  }

  get slice(): Room {
    return this.lab.slice;
  }

  get yubicoDir(): string {
    return path.join(this.dir, 'private', 'yubico');
  }

  get logDir(): string {
    return path.join(this.dir, 'private', 'logs');
  }

  keyFile(serial: number): string {
    return path.join(this.dir, 'keys', `${serial}.json`);
  }

  /** A factory-new virtual YubiKey. */
  makeKey(serial: number, firmware = '5.4.3', rootDirectory = this.yubicoDir): void {
    makeKey({ statePath: this.keyFile(serial), rootDirectory, serial, firmware, formFactor: 1, fips: false });
  }

  /** An operator prepares a new key for somebody: it is made, provisioned in the slice's room, and pulled out again. */
  async provisionKey(serial: number, role = 'engineer'): Promise<void> {
    this.makeKey(serial);
    const reader = await this.plugIn(this.slice, serial);
    try {
      const args = ['yubikey', 'provision', '--dir', this.sliceDir, '--serial', String(serial), '--role', role];
      const result = await this.operator([...args, '--pin-fd', '0', '--json'], `${PIN}\n`);
      if (result.code !== 0) throw new Error(`the key could not be provisioned:\n${result.stdout}\n${result.stderr}`);
    } finally {
      await reader.stop();
    }
  }

  operator(args: readonly string[], input = ''): Promise<RunResult> {
    return this.slice.run([...OPERATOR, ...args], { input });
  }

  /**
   * A laptop as a user has it: it trusts the public web PKI and has the provider's package, except for the programs.
   */
  async addLaptop(settings: LaptopSettings): Promise<Laptop> {
    const [laptop, here] = await Promise.all([this.lab.addLaptop(settings), this.publicRoots()]);
    const setUp = await laptop.run([
      '/bin/sh',
      '-ec',
      `install -D -m 644 "$1/msp-roots.pem" /etc/kiwistack/msp-roots.pem
       install -m 644 "$1/web-ca.crt" /usr/local/share/ca-certificates/public-web-ca.crt
       update-ca-certificates >/dev/null 2>&1`,
      'set-up',
      here,
    ]);
    if (setUp.code !== 0) throw new Error(`the laptop could not be set up: ${setUp.stderr}`);
    return laptop;
  }

  /** Plugs a key into a laptop, or into the operator's machine; `stop` pulls it out again. */
  async plugIn(
    room: Room,
    serial: number | undefined,
    touch: { readonly mode?: TouchMode; readonly delayMs?: number; readonly places?: 1 | 2 } = {},
  ): Promise<Reader> {
    const dir = path.join(this.dir, 'readers', `${room.name}-${this.#readers++}`);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const keys = serial === undefined ? [] : ['--keys', this.keyFile(serial)];
    const mode = ['--touch', touch.mode ?? 'auto', '--touch-delay', String(touch.delayMs ?? 0)];
    const places = ['--places', String(touch.places ?? 1)];
    const argv = [...script('test/virtual-yubikey/main.ts'), 'reader', '--dir', dir, ...keys, ...places, ...mode];
    const reader = await startInRoom(room, argv, {
      what: 'the virtual YubiKey',
      logFile: path.join(dir, 'reader.log'),
    });
    return { ...reader, control: new VirtualYubiKeyControl(path.join(dir, 'control.sock')) };
  }

  /** Runs `kiwistack-enroll enroll --json` with the PIN on a descriptor. */
  async enroll(
    laptop: Laptop,
    options: { pin?: string; args?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
  ): Promise<EnrollResult> {
    const { args = [], pin = PIN, env = {} } = options;
    const argv = [...CLI, 'enroll', '--json', '--pin-fd', '0', '--wait', '10', ...args];
    return withEvents(await laptop.run(argv, { input: `${pin}\n`, timeoutMs: 600_000, env }));
  }

  async cli(
    laptop: Laptop,
    args: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
  ): Promise<EnrollResult> {
    return withEvents(await laptop.run([...CLI, ...args], options));
  }

  async startFleet(): Promise<void> {
    const argv = [...script('test/fakes/fleet/server/main.ts'), 'serve', '--dir', this.fleetDir];
    const listen = ['--listen', '10.77.1.20:8412', '--san', 'fleet.corp.example'];
    this.#fleet = await startInRoom(this.lab.inside, [...argv, ...listen], {
      what: 'the Fleet server',
      logFile: path.join(this.logDir, 'fleet.log'),
    });
  }

  async stopFleet(): Promise<void> {
    await this.#fleet?.stop();
    this.#fleet = undefined;
  }

  async startSlice(): Promise<void> {
    const argv = [...SLICE, 'up', '--dir', this.sliceDir, '--json'];
    this.#slice = await startInRoom(this.slice, argv, {
      what: 'the slice',
      logFile: path.join(this.logDir, 'slice.log'),
    });
  }

  async stopSlice(): Promise<void> {
    await this.#slice?.stop();
    this.#slice = undefined;
  }

  /** What the slice logged, newest last. */
  sliceLog(): string {
    return this.#slice?.log() ?? '';
  }

  /** Ends everything. What is below `dir` stays. */
  async destroy(): Promise<void> {
    await Promise.allSettled([this.#intranet?.stop(), this.stopSlice(), this.stopFleet()]);
    await this.lab.destroy();
  }

  /** The folder with the public files: `web-ca.crt` and `msp-roots.pem`. */
  publicRoots(): Promise<string> {
    // Only once: laptops that are made in parallel must not read a file while another one writes it.
    return (this.#publicDir ??= this.#publishRoots());
  }

  async #publishRoots(): Promise<string> {
    const here = path.join(this.dir, 'public');
    await mkdir(here, { recursive: true });
    await copyFile(path.join(this.sliceDir, 'web-ca', 'root.crt'), path.join(here, 'web-ca.crt'));
    await copyFile(path.join(this.sliceDir, 'msp', 'root.crt'), path.join(here, 'msp-roots.pem'));
    return here;
  }

  async #initSlice(packageFile: string, initArgs: readonly string[]): Promise<void> {
    const fleet = fleetFiles(this.fleetDir);
    const config = path.join(this.dir, 'private', 'fleet-config.json');
    await writeFile(
      config,
      JSON.stringify({
        url: FLEET_URL,
        serverCaFile: fleet.caPath,
        apiTokenFile: fleet.apiTokenPath,
        enrollSecretFile: fleet.enrollSecretPath,
        packages: [{ key: process.arch === 'arm64' ? 'linux-arm64' : 'linux-x64', file: packageFile }],
      }),
      { mode: 0o600 },
    );
    const customer = ['--slug', 'acme', '--name', 'Acme GmbH', '--gateway-url', GATEWAY_URL];
    const net = ['--listen', '0.0.0.0:443', '--public-address', this.slice.address];
    const given = ['--yubico-root', path.join(this.yubicoDir, 'roots.pem'), '--fleet-config', config];
    const argv = [...SLICE, 'init', '--dir', this.sliceDir, ...customer, ...net, ...given, ...initArgs];
    const result = await this.slice.run(argv);
    if (result.code !== 0) throw new Error(`the slice could not be made:\n${result.stdout}\n${result.stderr}`);
  }
}

function withEvents(result: RunResult): EnrollResult {
  const events = result.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { ...result, events, result: events.at(-1) ?? {} };
}

/** The text of a file below a world's folder. */
export const readText = (file: string): Promise<string> => readFile(file, 'utf8');
