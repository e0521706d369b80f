import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { fleetFiles } from '../fakes/fleet/server/files.ts';
import type { RunResult } from '../lab/run-in-room.ts';
import { startInRoom, type LongRunning } from './long-running.ts';
import { GATEWAY_URL, MSP, script, SLICE, type World } from './world.ts';

export interface OtherCustomer {
  readonly dir: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<unknown>;
}

/** What the provider's offline machine does for the slices of a world: its root is the one that Acme's `init` has made. */
export class Provider {
  readonly #world: World;
  readonly #dir: string;
  /** What is typed, for whoever shows it. */
  readonly #typed: (line: string) => void;

  constructor(world: World, typed: (line: string) => void = () => undefined) {
    this.#world = world;
    this.#dir = path.join(world.dir, 'private');
    this.#typed = typed;
  }

  get rootCertificate(): string {
    return path.join(this.#world.sliceDir, 'msp', 'root.crt');
  }

  get list(): string {
    return path.join(this.#dir, 'root.crl');
  }

  /** Signs what a slice asks for. @returns the answer's file, and the digest of the key that it is for */
  async sign(
    sliceDir: string,
    options: readonly string[] = [],
  ): Promise<{ readonly answer: string; readonly keyDigest: string }> {
    const at = (name: string): string => path.join(this.#dir, `${path.basename(sliceDir)}-${name}`);
    const asked = await this.slice(
      'intermediate',
      'request',
      '--dir',
      sliceDir,
      ...options,
      '--out',
      at('request.json'),
    );
    const { keyDigest } = JSON.parse(asked.stdout) as { keyDigest: string };
    const customers = [
      { slug: 'acme', name: 'Acme GmbH', domains: ['corp.example'] },
      { slug: 'beta', name: 'Beta School', domains: [] },
    ];
    await writeFile(at('policy.json'), JSON.stringify({ version: 1, longestDays: 1000, customers }));
    const request = ['--request', at('request.json'), '--policy', at('policy.json')];
    await this.#msp('show', ...request);
    await this.#msp('sign', ...request, '--key-digest', keyDigest, ...this.#root, '--out', at('answer.pem'));
    return { answer: at('answer.pem'), keyDigest };
  }

  /** Takes an intermediate back. */
  async revoke(certificate: string, options: readonly string[]): Promise<void> {
    await this.#msp('revoke', ...options, '--certificate', certificate, ...this.#root, '--out', this.list);
  }

  /**
   * All of it: Acme's slice gets an intermediate with a new key, and the old one is taken back.
   * @param permitted what operators do before the slice is stopped, where two are needed
   */
  async replace(
    options: readonly string[] = [],
    list: readonly string[] = ['--first'],
    permitted: (keyDigest: string) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const { sliceDir } = this.#world;
    const { answer, keyDigest } = await this.sign(sliceDir, ['--new-key']);
    await this.revoke(path.join(sliceDir, 'ca', 'intermediate.crt'), list);
    await permitted(keyDigest);
    await this.slice('down', '--dir', sliceDir);
    await this.#world.stopSlice();
    const take = ['--dir', sliceDir, '--in', answer, '--revoked', this.list];
    await this.slice('intermediate', 'replace', ...take, ...options);
    this.#typed('kiwistack-slice up --dir acme');
    await this.#world.startSlice();
  }

  /**
   * Another customer of this provider, on the same machine, with a Fleet of its own at its inside address. Its laptops trust the same web
   * certificate.
   */
  async addCustomer(): Promise<OtherCustomer> {
    const { sliceDir, slice, yubicoDir } = this.#world;
    const dir = path.join(path.dirname(sliceDir), 'beta');
    const fleetDir = path.join(this.#dir, 'beta-fleet');
    const serve = [...script('test/fakes/fleet/server/main.ts'), 'serve', '--dir', fleetDir];
    const fleet = await startInRoom(slice, [...serve, '--listen', '0.0.0.0:8412', '--san', '10.78.0.1'], {
      what: "Beta's Fleet server",
      logFile: path.join(this.#dir, 'logs', 'beta-fleet.log'),
    });
    const { caPath, apiTokenPath, enrollSecretPath } = fleetFiles(fleetDir);
    const { packages } = JSON.parse(await readFile(path.join(this.#dir, 'fleet-config.json'), 'utf8')) as object & {
      packages: unknown;
    };
    const files = { serverCaFile: caPath, apiTokenFile: apiTokenPath, enrollSecretFile: enrollSecretPath };
    const config = path.join(this.#dir, 'beta-fleet-config.json');
    await writeFile(config, JSON.stringify({ url: 'https://10.78.0.1:8412', ...files, packages }));

    const named = ['--slug', 'beta', '--name', 'Beta School', '--gateway-url', `${GATEWAY_URL}:8443`];
    const inside = [
      '--inside-address',
      '10.78.0.1',
      '--inside-network',
      '10.78.0.0/24',
      '--inside-cidrs',
      '10.78.0.0/24',
    ];
    const ports = ['--wireguard-port', '51821', '--ca-port', '9445', '--crl-port', '9081', '--interface', 'kiwi-beta'];
    const web = (name: string): string => path.join(sliceDir, 'gateway', name);
    const tls = ['--tls-cert', web('tls.crt'), '--tls-key', web('tls.key'), '--public-address', slice.address];
    const given = ['--yubico-root', path.join(yubicoDir, 'roots.pem'), '--fleet-config', config];
    const root = ['--root-certificate', this.rootCertificate];
    await this.slice('init', '--dir', dir, ...named, ...inside, ...ports, ...tls, ...given, ...root);
    await this.slice('intermediate', 'install', '--dir', dir, '--in', (await this.sign(dir)).answer);
    let running: LongRunning | undefined;
    const start = async (): Promise<void> => {
      running = await startInRoom(slice, [...SLICE, 'up', '--dir', dir, '--json'], {
        what: "Beta's slice",
        logFile: path.join(this.#dir, 'logs', 'beta.log'),
      });
    };
    await start();
    const stop = async (): Promise<void> => running?.stop();
    return { dir, start, stop, end: () => Promise.allSettled([stop(), fleet.stop()]) };
  }

  get #root(): string[] {
    return [
      '--root-certificate',
      this.rootCertificate,
      '--root-key',
      path.join(this.#world.sliceDir, 'msp', 'root.key'),
    ];
  }

  /** `kiwistack-slice … --json`, where the slices are. */
  slice(...args: string[]): Promise<RunResult> {
    return this.#run('kiwistack-slice', SLICE, args);
  }

  #msp(...args: string[]): Promise<RunResult> {
    return this.#run('kiwistack-msp', MSP, args);
  }

  async #run(name: string, program: readonly string[], args: readonly string[]): Promise<RunResult> {
    this.#typed(`${name} ${args.map((arg) => (path.isAbsolute(arg) ? path.basename(arg) : arg)).join(' ')}`);
    const result = await this.#world.slice.run([...program, ...args, '--json']);
    if (result.code !== 0) throw new Error(`${name} ${args.join(' ')} failed:\n${result.stdout}\n${result.stderr}`);
    return result;
  }
}
