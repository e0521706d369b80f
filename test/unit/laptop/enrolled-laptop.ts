import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { noDisk } from '../../../platform/unsupported/no-disk.ts';
import { noTunnelApp } from '../../../platform/unsupported/no-tunnel-app.ts';
import type { KiwiError } from '../../../src/core/errors.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { DeviceCertificate } from '../../../src/laptop/system/certificate-store.ts';
import type { LaptopContext } from '../../../src/laptop/system/laptop-context.ts';
import type { Platform } from '../../../src/laptop/system/platform.ts';
import { ENROLLMENT } from '../../../src/laptop/enrollment/plan.ts';
import { RecordFile, type EnrollmentRecord } from '../../../src/laptop/state/record.ts';
import type { Caretaker } from '../../../src/laptop/system/caretaker.ts';
import type { Inspector } from '../../../src/laptop/system/inspector.ts';
import type { HardwareFacts } from '../../../src/laptop/system/hardware-reader.ts';
import type { SignIn, SignInStatus } from '../../../src/laptop/system/sign-in.ts';
import type { LocalNetwork } from '../../../src/laptop/system/tunnel.ts';
import { Journal } from '../../../src/laptop/pipeline/journal.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { base64url } from '../../../src/core/bytes.ts';
import { makeSlice, type Slice } from './gateway-client/signed-answers.ts';
import { healthyInspector } from './healthy-inspector.ts';
import { deriveWireguardKey } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { issue, NOW } from '../pki/test-authority.ts';
import * as examples from '../protocol/examples.ts';
import { startLocalGateway, type LocalGateway } from './gateway-client/local-gateway.ts';

export const SALT = base64url(Buffer.alloc(32, 7));

const ENDPOINT = '203.0.113.10:51820';
const PROFILE = {
  ...{ keptBy: 'wg-quick', file: 'tunnel', unit: 'wg-quick@kiwi-acme.service' },
  ...{
    start: 'sudo systemctl restart wg-quick@kiwi-acme.service',
    enable: 'sudo systemctl enable wg-quick@kiwi-acme.service',
  },
};

/** A laptop that was enrolled at a slice on this machine; its operating system is a list of what was taken away. */
export interface EnrolledLaptop {
  readonly stateFolder: string;
  readonly slice: Slice;
  readonly gateway: LocalGateway;
  readonly context: LaptopContext;
  readonly removed: string[];
  /** What does not go away although its removal reports no failure. */
  readonly stuck: string[];
  readonly record: EnrollmentRecord;
  hardware: HardwareFacts;
  key: KeyObject | undefined;
  /** Set: the key is in a TPM, which answers so whenever it is used. */
  tpmSays: KiwiError | undefined;
  stored: DeviceCertificate;
  /** Why programs of the system cannot use it, until it is given to them again. */
  systemFault: KiwiError | undefined;
  /** Where its clock stands. */
  now: number;
  /** What the tunnel is, as its status tells it. */
  readonly tunnel: { up: boolean; startsAtBoot: boolean; endpoint: string; mtu: number };
  /** The largest packet that comes back through the tunnel. */
  pathMtu: number;
  /** Where the slice's WireGuard is, if it answers anywhere; the tunnel reaches it while it uses this address. */
  sliceEndpoint: string | undefined;
  /** Whether anything leads to the slice, and to whom the network's name server answers. */
  online: boolean;
  resolves: boolean;
  /** The slice's WireGuard was restarted and has forgotten the session, until the peer is added again. */
  forgotten: boolean;
  /** The laptop has another address, and WireGuard still sends from the old one, until it is nudged. */
  oldSource: boolean;
  /** What was done to the running tunnel, in order. */
  readonly rungs: string[];
  /** The endpoints that the tunnel was told to follow. */
  readonly followed: string[];
  /** From now on its system trusts this for the web, PEM. */
  trustWeb(ca: string): void;
  /** Its device certificate is past its time. */
  expire(): Promise<void>;
  readonly localNetworks: LocalNetwork[];
  /** What its system shows otherwise than a healthy one. */
  readonly different: Partial<Inspector>;
  /** What repairs do to its system. */
  readonly caretaker: Caretaker;
  /** What is set up for signing in, as its system shows it; undefined: nothing. */
  signIn: SignInStatus | undefined;
  readonly agent: {
    running: boolean;
    orbitEnrolled: boolean;
    version: string;
    configuredByUs: boolean;
    secretForgotten: boolean;
    log: string;
  };
  /** Whether there is what the bundle of trusted roots is generated from. */
  rootFiles: boolean;
  /** Notes in the journal that an undo was begun. */
  beginUndo(): Promise<void>;
  end(): Promise<void>;
}

/** It becomes what it is told, and takes away what there is. */
function laptopSignIn(laptop: EnrolledLaptop): SignIn {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    check: nothing,
    setUp: ({ directory, certificate }) => {
      const { revision } = directory;
      const own = { lacks: [], running: true, backendSince: laptop.now, certificate: certificate?.certificate };
      laptop.signIn = { revision, ...own };
      return nothing();
    },
    restart: () => {
      if (laptop.signIn !== undefined) laptop.signIn = { ...laptop.signIn, backendSince: laptop.now };
      return nothing();
    },
    remove: () => {
      laptop.signIn = undefined;
      return nothing();
    },
    found: () => Promise.resolve(laptop.signIn === undefined ? [] : [{ what: 'sign-in', ours: true }]),
    status: () => Promise.resolve(laptop.signIn),
  };
}

export async function enrolledLaptop(): Promise<EnrolledLaptop> {
  const parent = await mkdtemp(path.join(tmpdir(), 'kiwi-laptop-'));
  const stateFolder = path.join(parent, 'state');
  const [slice, gateway] = await Promise.all([makeSlice(), startLocalGateway()]);
  let webCa = gateway.ca;
  const key = generateP256();
  const { certificate: leaf } = await issue('anna-laptop', {
    key,
    issuer: slice.intermediate,
    extendedKeyUsages: [EKU.clientAuth],
    notBefore: new Date(NOW.getTime() - 60_000),
    notAfter: new Date(NOW.getTime() + 86_400_000),
  });
  const { publicKey } = await deriveWireguardKey({
    ...{ deviceKey: fileDeviceKey(key, 'device.key'), slug: 'acme', generation: 0 },
  });
  const peer = { publicKey, peers: 1, allowedNetworks: ['10.77.1.0/24'], keepaliveSeconds: 25 };
  const different: Partial<Inspector> = { peer: () => Promise.resolve(peer) };
  const nothing = (): Promise<void> => Promise.resolve();
  const caretaker: Caretaker = { restrict: nothing, remove: nothing, enable: nothing, restart: nothing };
  const removed: string[] = [];
  const took = (what: string) => () => Promise.resolve(void removed.push(what));
  const stuck: string[] = [];
  const found = (what: string) => () =>
    Promise.resolve(removed.includes(what) && !stuck.includes(what) ? [] : [{ what, ours: true }]);
  const hardware = { uuid: examples.ID.attempt, systemSerial: 'PF3ABCDE', disks: [], macs: [] };
  const record: EnrollmentRecord = {
    version: 1,
    state: 'active',
    attemptId: examples.ID.attempt,
    startedAt: NOW.toISOString(),
    slug: 'acme',
    role: 'engineer',
    customer: 'Acme GmbH',
    gatewayUrl: gateway.url,
    yubikeySerial: 12_345_678,
    device: {
      deviceId: examples.ID.device,
      hostName: 'anna-laptop',
      address: '10.77.0.2',
      probe: '10.77.0.1',
      fleetUrl: 'https://fleet.acme.example',
      tunnel: { networks: ['10.77.1.0/24', '10.77.0.2/32'], endpoints: ['vpn.acme.example:51820'] },
      fingerprintSalt: SALT,
      confirmed: true,
      enrolledAt: NOW.toISOString(),
    },
  };
  const stored = { leaf, intermediate: slice.intermediate.certificate, roots: [slice.root.certificate] };
  const laptop: EnrolledLaptop = {
    ...{
      stateFolder,
      slice,
      gateway,
      removed,
      stuck,
      record,
      hardware,
      key,
      tpmSays: undefined,
      stored,
      systemFault: undefined,
      now: NOW.getTime(),
      tunnel: { up: true, startsAtBoot: true, endpoint: ENDPOINT, mtu: 1420 },
      pathMtu: 1420,
      sliceEndpoint: ENDPOINT,
      online: true,
      resolves: true,
      forgotten: false,
      oldSource: false,
      rungs: [],
      followed: [],
      localNetworks: [],
      different,
      caretaker,
      signIn: undefined,
      rootFiles: true,
      agent: {
        ...{ running: true, orbitEnrolled: true, version: '1.48.0', configuredByUs: true },
        ...{ secretForgotten: true, log: '' },
      },
    },
    context: undefined as never,
    trustWeb: (ca) => {
      webCa = ca;
    },
    expire: async () => {
      const notAfter = new Date(NOW.getTime() - 1000);
      const { certificate } = await issue('anna-laptop', { key, issuer: slice.intermediate, notAfter });
      laptop.stored = { ...laptop.stored, leaf: certificate };
    },
    beginUndo: () =>
      new Journal(path.join(stateFolder, 'journal.jsonl'), ENROLLMENT).append({
        ...{ at: NOW.toISOString(), step: 'agent', event: 'undoing' },
      }),
    end: async () => {
      await gateway.close();
      await rm(parent, { recursive: true, force: true });
    },
  };
  const platform = {
    stateFolder,
    preflight: { check: () => Promise.resolve() },
    trust: {
      systemCaBundle: () => Promise.resolve(webCa),
      remove: took('roots'),
      found: () => (laptop.rootFiles ? found('roots')() : Promise.resolve([])),
      verify: () => Promise.resolve(!removed.includes('roots')),
    },
    certificates: {
      paths: () => ({ certificate: 'acme.crt', key: 'acme.key', roots: 'root_ca.crt' }),
      load: () => Promise.resolve(laptop.key && laptop.stored),
      install: (_name: string, certificate: DeviceCertificate) => {
        laptop.stored = certificate;
        return Promise.resolve();
      },
      loadDeviceKey: () => {
        const key = laptop.key && fileDeviceKey(laptop.key, 'device.key');
        const { tpmSays } = laptop;
        if (key === undefined || tpmSays === undefined) return Promise.resolve(key);
        return Promise.resolve({ ...key, kind: 'tpm', sign: () => Promise.reject(tpmSays) });
      },
      systemUse: () => Promise.resolve(laptop.systemFault ?? 'programs read its files'),
      giveToSystem: () => Promise.resolve(void (laptop.systemFault = undefined)),
      found: found('key and certificate'),
      remove: () => {
        laptop.key = undefined;
        return took('key and certificate')();
      },
    },
    consumers: [],
    tunnelApp: noTunnelApp('a test'),
    files: () => Promise.resolve(['key and certificate', 'tunnel', 'agent']),
    tunnel: {
      down: took('tunnel'),
      restart: () => Promise.resolve(void (laptop.tunnel.up = true)),
      enable: () => Promise.resolve(void (laptop.tunnel.startsAtBoot = true)),
      found: found('tunnel'),
      status: () =>
        Promise.resolve({
          interface: 'kiwi-acme',
          profile: PROFILE,
          lastHandshake: NOW.getTime(),
          splitDns: true,
          ...laptop.tunnel,
        }),
      probe: () => {
        const { tunnel, online, forgotten, oldSource, sliceEndpoint } = laptop;
        const lost = !online || forgotten || oldSource;
        return Promise.resolve(tunnel.up && !lost && tunnel.endpoint === sliceEndpoint);
      },
      carries: (_address: string, bytes: number) => Promise.resolve(bytes <= laptop.pathMtu),
      setMtu: (_slug: string, mtu: number) => Promise.resolve(void (laptop.tunnel.mtu = mtu)),
      nudge: () => {
        laptop.rungs.push('nudge');
        laptop.oldSource = false;
        return Promise.resolve();
      },
      readdPeer: () => {
        laptop.rungs.push('readd');
        laptop.forgotten = false;
        return Promise.resolve();
      },
      routable: (endpoints: readonly string[]) => Promise.resolve(laptop.online ? endpoints : []),
      resolve: () => Promise.resolve(laptop.resolves ? [laptop.sliceEndpoint ?? ENDPOINT] : []),
      follow: (_slug: string, endpoints: readonly string[]) => {
        laptop.followed.push(...endpoints);
        laptop.tunnel.endpoint = laptop.sliceEndpoint ?? laptop.tunnel.endpoint;
        return Promise.resolve(laptop.online ? laptop.sliceEndpoint : undefined);
      },
      localNetworks: () => Promise.resolve(laptop.localNetworks),
    },
    pinnedRootsFile: '/etc/kiwistack/msp-roots.pem',
    isSecret: (file: string) => file.endsWith('key'),
    writtenFolders: ['/', '/var'],
    units: {
      ...{ checkTimer: 'check.timer', checkService: 'check.service' },
      ...{ watcher: 'watch.path', agentSocket: 'agent.socket', agent: 'orbit.service' },
    },
    agent: {
      forgetSecret: () => Promise.resolve(void (laptop.agent.secretForgotten = true)),
      secretForgotten: () => Promise.resolve(laptop.agent.secretForgotten),
      log: () => Promise.resolve(laptop.agent.log),
      uninstall: took('agent'),
      found: found('agent'),
      status: () => Promise.resolve(laptop.agent),
    },
    signIn: laptopSignIn(laptop),
    desktop: { sessions: () => Promise.resolve([]) },
    reports: { units: () => Promise.resolve({}), log: () => Promise.resolve(''), kernel: () => '6.1.0' },
    inspector: healthyInspector(different),
    caretaker,
    disk: noDisk('a test'),
    hardware: {
      readHardware: () => Promise.resolve({ ...laptop.hardware }),
      readSystem: () => Promise.resolve({ hostName: 'anna-laptop' }),
    },
  } as unknown as Platform;
  // Time stands still, and waiting takes none.
  const clock: Clock = { now: () => laptop.now, monotonic: () => 0, sleep: () => Promise.resolve() };
  Object.assign(laptop, {
    context: { platform, clock, signal: new AbortController().signal, roots: [slice.root.certificate] },
  });
  await new RecordFile(stateFolder).save(record);
  const journal = new Journal(path.join(stateFolder, 'journal.jsonl'), ENROLLMENT);
  for (const step of ['device-key', 'statement', 'certificate', 'trust', 'tunnel', 'agent']) {
    await journal.append({ at: NOW.toISOString(), step, event: 'intent' });
    await journal.append({ at: NOW.toISOString(), step, event: 'done' });
  }
  return laptop;
}
