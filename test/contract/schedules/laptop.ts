import { cpSync, mkdirSync } from 'node:fs';
import { randomBytes, randomUUID } from 'node:crypto';
import path from 'node:path';

import { StepCertificateStore } from '../../../platform/linux/certificate-store.ts';
import { noDisk } from '../../../platform/unsupported/no-disk.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { EnrollmentOptions } from '../../../src/laptop/enrollment/enrollment-run.ts';
import type { AgentSettings } from '../../../src/laptop/system/fleet-agent.ts';
import type { HardwareFacts } from '../../../src/laptop/system/hardware-reader.ts';
import type { Platform } from '../../../src/laptop/system/platform.ts';
import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';
import type { EnrollmentKey, Token } from '../../../src/token/token.ts';
import { noSignIn } from '../../../platform/unsupported/no-sign-in.ts';
import { noTunnelApp } from '../../../platform/unsupported/no-tunnel-app.ts';
import { healthyInspector } from '../../unit/laptop/healthy-inspector.ts';
import type { FaultySlice } from './faulty-slice.ts';

/** What a laptop is told of by each life of it: an edge between two things that it does. */
export type Edge = (life: Life, name: string) => Promise<void>;

/** What the operating system became; it outlives the program. */
export interface OperatingSystem {
  readonly roots: Set<string>;
  tunnel: Omit<TunnelConfig, 'privateKey'> | undefined;
  agent: { settings?: AgentSettings; installed: boolean; secretForgotten: boolean };
}

/** A machine and its disk. The program on it lives, dies, and is started again. */
export interface Laptop {
  readonly hardware: HardwareFacts;
  readonly hostName: string;
  readonly os: OperatingSystem;
  /** How often the YubiKey was touched. */
  touches: number;
  /** The newest: what earlier lives write goes nowhere. */
  life: Life | undefined;
  /** How far its clock is off, milliseconds. */
  readonly skewMs: number;
}

/** One start of the program, until it ends or dies. */
export interface Life {
  readonly laptop: Laptop;
  readonly folder: string;
  readonly options: EnrollmentOptions;
  readonly cancel: AbortController;
  touches: number;
  dead: boolean;
  /** Resolves at death; what the program waits for does not come any more. */
  readonly death: Promise<undefined>;
  /** Rejects at the burial, when nobody is there any more whom it could disturb. */
  readonly grave: Promise<never>;
  die(): void;
  /** What was waited for fails, so that locks and files are given back. */
  bury(): void;
}

export function newLaptop(skewMs: number): Laptop {
  return {
    hardware: {
      uuid: randomUUID(),
      systemSerial: randomBytes(6).toString('hex'),
      boardSerial: randomBytes(6).toString('hex'),
      chassisSerial: randomBytes(6).toString('hex'),
      disks: [randomBytes(6).toString('hex')],
      macs: [],
      cpu: 'Processor 1',
    },
    hostName: `laptop-${randomBytes(4).toString('hex')}`,
    os: { roots: new Set(), tunnel: undefined, agent: { installed: false, secretForgotten: false } },
    touches: 0,
    life: undefined,
    skewMs,
  };
}

/** Starts the program once more. After a death it finds what was on the disk at that moment. */
export function startLife(laptop: Laptop, slice: FaultySlice, folder: string, edge: Edge): Life {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const before = laptop.life;
  if (before !== undefined) {
    // A lock is not what is on a disk: it goes with its process.
    const filter = (file: string): boolean => !path.basename(file).startsWith('lock');
    cpSync(before.folder, folder, { recursive: true, filter });
  }
  const death = Promise.withResolvers<undefined>();
  const grave = Promise.withResolvers<never>();
  grave.promise.catch(() => undefined);
  const life: Life = {
    laptop,
    folder,
    cancel: new AbortController(),
    touches: 0,
    dead: false,
    death: death.promise,
    grave: grave.promise,
    die() {
      life.dead = true;
      death.resolve(undefined);
    },
    bury: () => grave.reject(new Error('dead')),
    options: undefined as never,
  };
  const at = (name: string): Promise<void> => (life.dead ? life.grave : edge(life, name));
  Object.assign(life, { options: optionsOf(life, slice, at) });
  laptop.life = life;
  return life;
}

const SLOT = '9c';

function optionsOf(life: Life, slice: FaultySlice, at: (name: string) => Promise<void>): EnrollmentOptions {
  const { laptop } = life;
  const { clock: time } = slice;
  const clock: Clock = {
    now: () => time.now() + laptop.skewMs,
    monotonic: () => time.monotonic(),
    sleep: (ms, signal) => (life.dead ? life.grave : time.sleep(ms, signal)),
  };
  return {
    platform: platformOf(life, slice, clock, at),
    clock,
    signal: life.cancel.signal,
    person: {
      waitingForKey: () => undefined,
      keyFound: () => undefined,
      sliceProven: () => undefined,
      askPin: () => Promise.resolve(new SecretBytes(Buffer.from('123456'))),
      touchExpected: () => undefined,
      touched: () => undefined,
    },
    roots: [slice.root],
    openToken: () => Promise.resolve(tokenOf(life, slice, at)),
  };
}

function tokenOf(life: Life, { key }: FaultySlice, at: (name: string) => Promise<void>): Token {
  const [certificate] = key.chain;
  if (certificate === undefined) throw new TypeError('the key has a certificate');
  const unused = (): Promise<never> => Promise.reject(new TypeError('not used by an enrollment'));
  return {
    async find(): Promise<EnrollmentKey> {
      await at('token.find');
      return {
        serial: key.serial,
        slot: SLOT,
        attestation: key.attestation.der,
        attestationIssuer: key.attestationIssuer.der,
        pinPolicy: 'always',
        touchPolicy: 'always',
        algorithm: 'ES256',
        certificate,
      };
    },
    pinTries: () => Promise.resolve({ state: 'ok' }),
    opener: () => ({ agree: unused, unwrap: unused }),
    async sign(_key, data, options) {
      (await options.askPin('ok')).clear();
      await at('token.touch');
      options.signal?.throwIfAborted();
      life.touches += 1;
      life.laptop.touches += 1;
      const signature = await key.signer.sign(data);
      await at('token.signed');
      return signature;
    },
    list: unused,
    slotKey: unused,
    close: () => Promise.resolve(),
  };
}

const noTpm = (): Promise<never> => Promise.reject(new KiwiError('tpm-missing'));

function platformOf(life: Life, slice: FaultySlice, clock: Clock, at: (name: string) => Promise<void>): Platform {
  const { laptop, folder } = life;
  const { os } = laptop;
  const certificates = new StepCertificateStore({
    root: folder,
    run: () => Promise.reject(new TypeError('no programs')),
    clock,
  });
  /** Something is done to the system: the program may die before it and after it. */
  const act = async <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    await at(`${name}, before`);
    const result = await work();
    await at(`${name}, after`);
    return result;
  };
  const agentStatus = () => ({
    version: os.agent.installed ? '1.0.0' : undefined,
    configuredByUs: os.agent.settings !== undefined,
    running: os.agent.installed && os.agent.settings !== undefined,
    orbitEnrolled: os.agent.installed && os.agent.settings !== undefined,
  });
  const found = (what: string, there: boolean) =>
    life.dead ? life.grave : Promise.resolve(there ? [{ what, ours: true }] : []);
  // Not up: there is no network in which it could be mended.
  const status = () =>
    Promise.resolve({
      ...{ interface: 'kiwi-acme', up: false, startsAtBoot: false, splitDns: false, rxBytes: 0, txBytes: 0 },
      ...{ profile: undefined, mtu: undefined, endpoint: undefined, lastHandshake: undefined },
    });
  return {
    stateFolder: path.join(folder, 'state'),
    pinnedRootsFile: '/nowhere',
    consumers: [],
    signIn: noSignIn('a laptop of the schedules'),
    files: () => Promise.resolve([]),
    claimScreens: { prompt: () => Promise.resolve(), window: () => Promise.resolve() },
    desktop: {
      sessions: () => Promise.resolve([]),
      show: () => Promise.resolve(undefined),
      close: () => Promise.resolve(),
    },
    reports: { units: () => Promise.resolve({}), log: () => Promise.resolve(''), kernel: () => '6.1.0' },
    inspector: healthyInspector({}),
    updater: {
      releaseKeys: () => Promise.resolve(undefined),
      installed: () => Promise.resolve({ system: 'linux', architecture: 'x64', versions: {} }),
      install: () => Promise.resolve(),
    },
    caretaker: {
      restrict: () => Promise.resolve(),
      remove: () => Promise.resolve(),
      enable: () => Promise.resolve(),
      restart: () => Promise.resolve(),
    },
    disk: noDisk('a schedule'),
    tunnelApp: noTunnelApp('a schedule'),
    isSecret: () => false,
    writtenFolders: [],
    units: { checkTimer: '', checkService: '', watcher: '', agentSocket: '', agent: '' },
    preflight: { check: () => at('preflight') },
    hardware: {
      readHardware: () => Promise.resolve(laptop.hardware),
      readSystem: () =>
        Promise.resolve({ hostName: laptop.hostName, os: 'linux', osVersion: 'Debian GNU/Linux 12', arch: 'x64' }),
    },
    certificates: {
      createDeviceKey: (name) => act('device key', () => certificates.createDeviceKey(name)),
      keepTpmKey: (name, key) => act('key of the TPM', () => certificates.keepTpmKey(name, key)),
      loadDeviceKey: (name) => (life.dead ? life.grave : certificates.loadDeviceKey(name)),
      install: (name, certificate) => act('certificate', () => certificates.install(name, certificate)),
      load: (name) => (life.dead ? life.grave : certificates.load(name)),
      verify: (name, certificate) => (life.dead ? life.grave : certificates.verify(name, certificate)),
      systemUse: (name) => (life.dead ? life.grave : certificates.systemUse(name)),
      giveToSystem: () => act('certificate for the system', () => certificates.giveToSystem()),
      remove: (name) => act('no certificate', () => certificates.remove(name)),
      found: () => (life.dead ? life.grave : certificates.found()),
      paths: (name) => certificates.paths(name),
    },
    tpm: { createKey: noTpm, endorsementCertificate: noTpm, activate: noTpm },
    trust: {
      install: (roots) => act('roots', () => roots.forEach(({ pem }) => os.roots.add(pem))),
      verify: (roots) => (life.dead ? life.grave : Promise.resolve(roots.every(({ pem }) => os.roots.has(pem)))),
      remove: (roots) => act('no roots', () => roots.forEach(({ pem }) => os.roots.delete(pem))),
      found: () => found('roots', os.roots.size > 0),
      systemCaBundle: () => (life.dead ? life.grave : Promise.resolve(slice.webCa)),
    },
    tunnel: {
      up: ({ privateKey: _, ...config }) => act('tunnel up', () => void (os.tunnel = config)),
      start: () => Promise.resolve(),
      down: () => act('tunnel down', () => void (os.tunnel = undefined)),
      found: () => found('tunnel', os.tunnel !== undefined),
      restart: () => Promise.resolve(),
      enable: () => Promise.resolve(),
      probe: () => at('tunnel probe').then(() => true),
      carries: () => Promise.resolve(true),
      setMtu: () => Promise.resolve(),
      resolve: () => Promise.resolve([]),
      routable: (endpoints) => Promise.resolve(endpoints),
      nudge: () => Promise.resolve(),
      readdPeer: () => Promise.resolve(),
      follow: () => Promise.resolve(undefined),
      localNetworks: () => (life.dead ? life.grave : Promise.resolve([])),
      status,
    },
    agent: {
      status: () => at('agent status').then(agentStatus),
      orbitEnrolled: () => (life.dead ? life.grave : Promise.resolve(agentStatus().orbitEnrolled)),
      configure: (settings) => act('agent settings', () => void (os.agent.settings = settings)),
      install: () => act('agent package', () => void (os.agent.installed = true)),
      secretForgotten: () => Promise.resolve(os.agent.secretForgotten),
      forgetSecret: () => act('agent secret', () => void (os.agent.secretForgotten = true)),
      uninstall: () => act('no agent', () => void (os.agent = { installed: false, secretForgotten: false })),
      found: () => found('agent', os.agent.installed || os.agent.settings !== undefined),
      log: () => (life.dead ? life.grave : Promise.resolve('')),
    },
  };
}
