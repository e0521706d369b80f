import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';

import { MacCertificateStore } from '../../../../platform/macos/certificate-store.ts';
import { macPlatform } from '../../../../platform/macos/index.ts';
import { PATHS } from '../../../../platform/macos/paths.ts';
import { MacTunnel } from '../../../../platform/macos/tunnel/mac-tunnel.ts';
import { WireguardApp } from '../../../../platform/macos/tunnel/wireguard-app.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { RecordFile, type EnrollmentRecord } from '../../../../src/laptop/state/record.ts';
import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import type { LaptopContext } from '../../../../src/laptop/system/laptop-context.ts';
import type { TunnelConfig } from '../../../../src/laptop/system/tunnel.ts';
import { makeDeviceCertificate } from '../linux/test-certificates.ts';
import * as examples from '../../protocol/examples.ts';
import { FakeMac } from './fake-mac.ts';

export const IDENTIFIER = 'io.kiwistack.profile.kiwi-acme';
export const DEVICE = 'io.kiwistack.tunnel.kiwi-acme';
export const OFFERS = `${PATHS.program}/run/kiwi-acme`;
const APP = '/Applications/WireGuard.app';
const PROBE = '10.77.0.1';
const PEER = Buffer.alloc(32, 2).toString('base64');

export const RECORD: EnrollmentRecord = {
  ...{ version: 1, state: 'active', attemptId: examples.ID.attempt, startedAt: '2026-11-21T11:00:00.000Z' },
  ...{ slug: 'acme', role: 'engineer', customer: 'Acme GmbH', gatewayUrl: 'https://enroll.acme.example' },
  device: {
    ...{ deviceId: examples.ID.device, hostName: 'ada', address: '10.77.1.30', probe: PROBE, confirmed: true },
    ...{ fleetUrl: 'https://fleet.acme.example', enrolledAt: '2026-11-21T11:01:00.000Z' },
    tunnel: { networks: ['10.77.1.0/24'], endpoints: ['vpn.acme.example:51820'] },
  },
};

/** What a grant says, with a key. */
export const granted = (key = 1): TunnelConfig => ({
  ...{ slug: 'acme', privateKey: new SecretBytes(Buffer.alloc(32, key)), address: '10.77.1.30' },
  ...{ endpoints: ['vpn.acme.example:51820'], serverPublicKey: PEER, keepaliveSeconds: 25 },
  ...{ presharedKey: Buffer.alloc(32, 3).toString('base64'), allowedCidrs: ['10.77.1.0/24'] },
  dns: { servers: ['10.77.1.1'], domains: ['corp.example'] },
});

/** A key in PEM and a certificate for it: made once, because that takes longer than a test. */
export interface Identity {
  readonly key: string;
  readonly certificate: DeviceCertificate;
}
export async function makeIdentity(): Promise<Identity> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, certificate: await makeDeviceCertificate(createPrivateKey(key)) };
}

/** Where a life of the program ends: at this run of a program, before it or after it. */
export interface Kill {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/**
 * A Mac that is enrolled, with an administrator at its screen, on which the program is started again and again. The tunnel answers while our
 * daemon runs, or while the app has an approved profile.
 */
export class EnrolledMac {
  readonly mac: FakeMac;
  /** The app brings the tunnel up whose profile is approved. */
  appWorks = true;
  /** The slice answers to whatever tunnel there is. */
  sliceAnswers = true;
  /** What the person does while they are waited for: an act for each look. */
  person: ((() => unknown) | undefined)[] = [];
  #lives = 0;
  /** What killed lives wait for fails at the end, so that they give their locks back. */
  readonly #graves: ((error: Error) => void)[] = [];
  readonly #ended: Promise<unknown>[] = [];
  #buried = false;

  private constructor(mac: FakeMac) {
    this.mac = mac;
  }

  static async make({ key, certificate }: Identity): Promise<EnrolledMac> {
    const mac = await FakeMac.make();
    const self = new EnrolledMac(mac);
    await mac.write(`${PATHS.certificates}/acme.key`, key, 0o600);
    await new MacCertificateStore(mac).install('acme', certificate);
    await mac.write('/dev/console', '');
    execFileSync('/bin/chown', ['1501', path.join(mac.root, '/dev/console')]);
    await mac.write('/usr/bin/openssl', '', 0o755);
    self.#setPrograms();
    await self.life().platform.tunnel.up(granted());
    await new RecordFile(path.join(mac.root, 'disk')).save(RECORD);
    return self;
  }

  async destroy(): Promise<void> {
    this.#buried = true;
    for (const bury of this.#graves) bury(new Error('buried'));
    await Promise.allSettled(this.#ended);
    await this.mac.destroy();
  }

  get daemonRuns(): boolean {
    return this.mac.jobs.get(DEVICE)?.running === true;
  }

  get appRuns(): boolean {
    return this.mac.profiles.has(IDENTIFIER) && this.appWorks;
  }

  readonly installApp = (): Promise<void> => this.mac.write(`${APP}/Contents/Info.plist`, '');

  /** Approves what System Settings shows. */
  readonly approve = async (): Promise<void> => {
    const offers = await this.mac.names(OFFERS);
    if (offers.join() !== 'kiwi-acme.mobileconfig') throw new TypeError(`offered: ${offers.join()}`);
    this.mac.profiles.add(IDENTIFIER);
  };

  /** A start of the program, on a laptop that is not enrolled. @param onDeath what is waited for after it never comes */
  life(options: { signal?: AbortSignal; kill?: Kill; onDeath?: () => void } = {}): LaptopContext {
    const { mac } = this;
    const { kill, onDeath, signal = new AbortController().signal } = options;
    const forEver = (): Promise<never> =>
      new Promise((_, reject) => {
        if (this.#buried) reject(new Error('buried'));
        else this.#graves.push(reject);
      });
    const die = (): Promise<never> => {
      onDeath?.();
      return forEver();
    };
    let ran = 0;
    let dead = false;
    const system = {
      ...{ root: mac.root, clock: mac.clock, programFolders: mac.programFolders, runtimeFolder: mac.runtimeFolder },
      run: async (request: Parameters<FakeMac['run']>[0]) => {
        ran += 1;
        if (dead) return forEver();
        dead = ran === kill?.at;
        if (dead && kill?.when === 'before') return die();
        const result = await mac.run(request);
        return dead ? die() : result;
      },
    };
    const resolve = (): Promise<string[]> => Promise.resolve(['192.0.2.1']);
    const platform = {
      ...macPlatform(system),
      tunnel: new MacTunnel(system, resolve),
      tunnelApp: new WireguardApp(system, resolve),
      stateFolder: path.join(mac.root, `life-${(this.#lives += 1)}`),
    };
    const clock: Clock = {
      now: () => mac.time,
      monotonic: () => mac.time,
      sleep: async (ms, stop) => {
        stop?.throwIfAborted();
        mac.time += ms;
        await this.person.shift()?.();
      },
    };
    return { platform, clock, signal, roots: [] };
  }

  /** A start of the program on this laptop, as it is enrolled. A lock is not on a disk: it goes with its process. */
  async enrolledLife(options: Parameters<EnrolledMac['life']>[0] = {}): Promise<LaptopContext> {
    const context = this.life(options);
    await mkdir(context.platform.stateFolder, { recursive: true });
    const record = 'enrollment.json';
    await cp(path.join(this.mac.root, 'disk', record), path.join(context.platform.stateFolder, record));
    return context;
  }

  /** @returns true when it was killed, false when it has ended before */
  async killedLife(kill: Kill, use: (context: LaptopContext) => Promise<unknown>): Promise<boolean> {
    const { promise: death, resolve } = Promise.withResolvers<boolean>();
    const onDeath = (): void => {
      resolve(true);
    };
    const life = use(await this.enrolledLife({ kill, onDeath })).then(() => false);
    this.#ended.push(life);
    return Promise.race([life, death]);
  }

  #setPrograms(): void {
    const { mac } = this;
    mac.programs['openssl'] = () => 'a signed profile';
    mac.programs['wg'] = ([verb = '', name = '']) => {
      if (!this.daemonRuns || !/^utun\d+$/u.test(name)) return { code: 1, stderr: 'Unable to access interface' };
      if (verb !== 'show') return undefined;
      const handshake = Math.floor(mac.time / 1000);
      const peer = [PEER, '(none)', '192.0.2.1:51820', '10.77.1.0/24', handshake, 10, 20, 25].join('\t');
      return `${['cHJpdmF0ZQ==', PEER, 51820, 'off'].join('\t')}\n${peer}\n`;
    };
    mac.programs['ifconfig'] = ([name = '', family]) => {
      if (name !== '-a') return family === undefined ? `${name}: flags=8051<UP> mtu 1420\n` : undefined;
      const app = 'utun9: flags=8051<UP> mtu 1420\n\tinet 10.77.1.30 --> 10.77.1.30 netmask 0xffffffff\n';
      return `lo0: flags=8049<UP> mtu 16384\n\tinet 127.0.0.1 netmask 0xff000000\n${this.appRuns ? app : ''}`;
    };
    mac.programs['ping'] = () => {
      if (this.sliceAnswers && (this.daemonRuns || this.appRuns)) return undefined;
      mac.time += 1_000;
      return { code: 2 };
    };
  }
}
