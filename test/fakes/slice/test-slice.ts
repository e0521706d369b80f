import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { pino, type Logger } from 'pino';

import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { base64url } from '../../../src/core/bytes.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import type { FleetConfig } from '../../../src/slice/config/fleet-config.ts';
import { slicePaths, type SlicePaths } from '../../../src/slice/config/slice-paths.ts';
import { initSlice, type InitOptions } from '../../../src/slice/init/init-slice.ts';
import { openSlice } from '../../../src/slice/operator/open-slice.ts';
import { runSlice, type RunningSlice } from '../../../src/slice/run/run-slice.ts';
import { memoryEndpoint, type MemoryEndpoint } from './memory-endpoint.ts';
import {
  makeSoftwareYubikey,
  makeTestMaker,
  type AttestedClaims,
  type SoftwareYubikey,
  type TestMaker,
} from './software-yubikey.ts';
import { gatewayHand, type GatewayHand } from './test-laptop.ts';

/** A clock that tests can push; durations stay true. */
export interface TestClock extends Clock {
  offsetMs: number;
}

export function testClock(): TestClock {
  const clock: TestClock = { ...systemClock, offsetMs: 0, now: () => systemClock.now() + clock.offsetMs };
  return clock;
}

export interface ProvisionedKey extends SoftwareYubikey {
  /** Leaf, intermediate. */
  readonly chain: readonly Certificate[];
}

interface ProvisionOptions {
  readonly register?: boolean;
  readonly role?: string;
  readonly reinstate?: boolean;
}

/** A slice with real step-ca, real SQLite and a gateway on TLS, all on loopback; only WireGuard is in memory. */
export interface TestSlice {
  readonly dir: string;
  readonly paths: SlicePaths;
  readonly maker: TestMaker;
  readonly clock: TestClock;
  readonly endpoint: MemoryEndpoint;
  running: RunningSlice;
  gateway: GatewayHand;
  /** Makes a software key, has step-ca certify it, registers it. */
  provision(claims: AttestedClaims, options?: ProvisionOptions): Promise<ProvisionedKey>;
  /** Has step-ca certify a key that was made elsewhere, and registers it. */
  provisionKey(yubikey: SoftwareYubikey, options?: ProvisionOptions): Promise<ProvisionedKey>;
  /** Stops and starts again in this process. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** After `stop`. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startTestSlice(
  options: { init?: Partial<InitOptions>; fleet?: FleetConfig; log?: Logger } = {},
): Promise<TestSlice> {
  const parent = await mkdtemp(path.join(tmpdir(), 'kiwi-slice-'));
  const dir = path.join(parent, 'd');
  const maker = await makeTestMaker();
  const rootFile = path.join(parent, 'maker.pem');
  await writeFile(rootFile, maker.certificate.pem);
  const [port = 0, caPort = 0, crlPort = 0, operatorPort = 0] = await freePorts(4);
  await initSlice(
    {
      dir,
      slug: 'acme',
      name: 'Acme GmbH',
      gatewayUrl: `https://enroll.acme.example:${port}`,
      listen: { host: '127.0.0.1', port },
      yubicoRootFile: rootFile,
      insideAddress: '127.0.0.1',
      caPort,
      operatorPort,
      crlPort,
      rateLimit: { burst: 100_000, perSecond: 100_000 },
      fleet: options.fleet ?? (await someFleet()),
      ...options.init,
    },
    systemClock,
  );
  const paths = slicePaths(dir);
  const clock = testClock();
  const endpoint = memoryEndpoint();
  const log = options.log ?? pino({ level: 'silent' });
  const start = async (): Promise<[RunningSlice, GatewayHand]> => {
    const running = await runSlice({ dir, clock, log, env: process.env, endpoint: () => Promise.resolve(endpoint) });
    const ca = await readFile(paths.webCa.certificate, 'utf8');
    return [running, gatewayHand({ port: running.listen.port, hostName: 'enroll.acme.example', ca })];
  };
  const [running, gateway] = await start();
  const slice: TestSlice = {
    dir,
    paths,
    maker,
    clock,
    endpoint,
    running,
    gateway,
    provision: async (claims, wish) => slice.provisionKey(await makeSoftwareYubikey(maker, claims), wish),
    async provisionKey(yubikey, { register = true, role = 'engineer', reinstate = false } = {}) {
      const operator = await openSlice(dir, systemClock);
      try {
        const { serial, slot } = yubikey;
        const csr = base64url(await yubikey.csr());
        const { certificate, intermediate } = await operator.ask('yubikey.certify', { csr, serial, slot, role });
        if (register) await operator.ask('yubikey.register', { serial, slot, role, certificate, reinstate });
        const chain = [certificate, intermediate].map((der) => parseCertificate(Buffer.from(der, 'base64url')));
        return { ...yubikey, chain };
      } finally {
        await operator.close();
      }
    },
    async restart() {
      await slice.stop();
      await slice.start();
    },
    async start() {
      [slice.running, slice.gateway] = await start();
    },
    async stop() {
      await slice.gateway.close();
      await slice.running.stop();
    },
    async remove() {
      await slice.stop();
      await rm(parent, { recursive: true, force: true });
    },
  };
  return slice;
}

/** A Fleet that is configured and does not exist. */
export async function someFleet(): Promise<FleetConfig> {
  const key = generateP256();
  const root = await issueCertificate({
    subject: { cn: 'Fleet root' },
    key,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + YEAR),
    ca: { pathLength: 0 },
  });
  return {
    url: 'https://127.0.0.1:1',
    serverCa: root.pem,
    apiToken: 'token',
    enrollSecret: 'enroll-secret',
    packages: [],
  };
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
