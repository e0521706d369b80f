import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import type { FastifyInstance } from 'fastify';

import { KiwiError } from '../../../src/core/errors.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { hashFile, type FleetConfig } from '../../../src/slice/config/fleet-config.ts';
import type { FleetClient } from '../../../src/slice/fleet/fleet-client.ts';
import { buildGateway } from '../../../src/slice/gateway/build-gateway.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import { gatewayHand, type GatewayHand } from '../../fakes/slice/test-laptop.ts';
import { freePorts, startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { virtualClock, type VirtualClock } from './virtual-clock.ts';

/**
 * A slice with real step-ca, real SQLite and a real gateway over TLS, on a clock of the test's, whose parts can fail. Laptops do not
 * reach it: they reach what listens at `proxyPort`.
 */
export interface FaultySlice {
  readonly kit: TestSlice;
  readonly context: SliceContext;
  readonly clock: VirtualClock;
  readonly key: ProvisionedKey;
  readonly root: Certificate;
  /** PEM: what laptops believe in TLS. */
  readonly webCa: string;
  readonly tls: { readonly certificate: Buffer; readonly key: Buffer };
  readonly gatewayPort: number;
  /** Past the network, for what is no part of a schedule. */
  readonly hand: GatewayHand;
  readonly proxyPort: number;
  /** What fails when it is asked next; once each. */
  readonly broken: { ca: boolean; endpoint: boolean };
  /** PEM: every certificate that step-ca made for a laptop, whether anybody got it or not. */
  readonly issued: string[];
  /** What Fleet says of every laptop. */
  readonly fleet: { green: () => boolean };
  close(): Promise<void>;
}

export async function startFaultySlice(): Promise<FaultySlice> {
  const [proxyPort = 0] = await freePorts(1);
  const fleetServer = await startFleet();
  const kit = await startTestSlice({
    init: { gatewayUrl: `https://127.0.0.1:${proxyPort}`, insideNetwork: '10.96.0.0/16', quota: 100_000 },
    fleet: fleetServer.config,
  });
  // Its own upkeep would come in between by the true time; schedules do it when they say so.
  kit.clock.sleep = (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), { once: true });
    });
  const clock = virtualClock();
  const broken = { ca: false, endpoint: false };
  const fleet = { green: () => true };
  const issued: string[] = [];
  const context = contextOf(kit, { clock, broken, fleet, issued });
  const { paths } = kit;
  const tls = { certificate: await readFile(paths.gateway.tlsCertificate), key: await readFile(paths.gateway.tlsKey) };
  const gateway: FastifyInstance = await buildGateway(context, tls);
  await gateway.listen({ host: '127.0.0.1', port: 0 });
  const gatewayPort = (gateway.server.address() as AddressInfo).port;
  const webCa = await readFile(paths.webCa.certificate, 'utf8');
  const hand = gatewayHand({ port: gatewayPort, hostName: '', ca: webCa });
  return {
    ...{ hand, gatewayPort, webCa, kit, context, clock, broken, fleet, issued, tls, proxyPort },
    key: await kit.provision({ serial: 20_000_001 }),
    root: parseCertificate(await readFile(paths.msp.certificate, 'utf8')),
    async close() {
      await hand.close();
      await gateway.close();
      await kit.remove();
      await new Promise((resolve) => fleetServer.server.close(resolve));
    },
  };
}

function contextOf(
  kit: TestSlice,
  { clock, broken, fleet, issued }: Pick<FaultySlice, 'clock' | 'broken' | 'fleet' | 'issued'>,
): SliceContext {
  const { running, endpoint } = kit;
  const { ca, fleet: configured } = running.context;
  const once = (part: 'ca' | 'endpoint'): boolean => {
    const fails = broken[part];
    broken[part] = false;
    return fails;
  };
  if (configured === undefined) throw new TypeError('the kit configures Fleet');
  const client: Pick<FleetClient, 'look' | 'forget' | 'reachable'> = {
    look: () => {
      const green = fleet.green();
      const version = green ? '1.0.0' : null;
      const seen = { known: green, online: green, green, orbitVersion: version, osqueryVersion: version };
      return Promise.resolve({ reachable: true, ...seen });
    },
    forget: () => Promise.resolve(),
    reachable: () => Promise.resolve(true),
  };
  return {
    ...running.context,
    // Nobody is there who would let in a laptop with a token.
    config: { ...running.context.config, claims: { withoutTpm: 'accept', approvalHours: 1 } },
    clock,
    ca: {
      ...ca,
      async sign(input) {
        if (once('ca')) throw new KiwiError('ca-unavailable');
        const pem = await ca.sign(input);
        issued.push(pem);
        return pem;
      },
    },
    endpoint: {
      ...endpoint,
      setPeer: (peer) =>
        once('endpoint') ? Promise.reject(new KiwiError('endpoint-unavailable')) : endpoint.setPeer(peer),
    },
    fleet: { ...configured, client: { ...configured.client, ...client } },
  };
}

/** As much of Fleet as a laptop asks before it installs the agent; what the slice asks is answered in memory. */
async function startFleet(): Promise<{ server: Server; config: FleetConfig }> {
  const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
  const [rootKey, key] = [generateP256(), generateP256()];
  const root = await issueCertificate({
    subject: { cn: 'Fleet root' },
    key: rootKey,
    ...validity,
    ca: { pathLength: 0 },
  });
  const leaf = await issueCertificate({
    subject: { cn: 'Fleet' },
    key,
    issuer: { certificate: root, key: rootKey },
    ...validity,
    extendedKeyUsages: [EKU.serverAuth],
    sanIps: ['127.0.0.1'],
  });
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ cert: leaf.pem, key: pem }, (request, response) => {
    request.resume();
    response.writeHead(request.method === 'HEAD' ? 200 : 401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const file = path.join(process.env['TMPDIR'] ?? '', `fleet-osquery-${process.pid}.deb`);
  await writeFile(file, 'not really a package');
  return {
    server,
    config: {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      serverCa: root.pem,
      apiToken: 'token',
      enrollSecret: 'enroll-secret',
      packages: [{ key: 'linux-x64', file, ...(await hashFile(file)) }],
    },
  };
}
