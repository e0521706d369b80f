// A process of its own: laptops that all renew at the same moment, each as a laptop does. argv: a file with the crowd (JSON).
// Prints `{"type":"ready"}`, begins with the first line on stdin, and prints one line for each laptop that has ended.
import { createPrivateKey } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { base64url } from '../../../src/core/bytes.ts';
import { toKiwiError } from '../../../src/core/errors.ts';
import { GatewayClient } from '../../../src/laptop/gateway-client/gateway-client.ts';
import { PUT_OFF } from '../../../src/laptop/standing/renew-certificate.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';

export interface Crowd {
  readonly gatewayUrl: string;
  readonly systemCa: string;
  readonly intermediate: string;
  readonly root: string;
  readonly customer: string;
  readonly role: string;
  readonly laptops: readonly { readonly deviceId: string; readonly hostName: string; readonly key: string }[];
}

export interface Ended {
  readonly deviceId: string;
  /** Of the new certificate; absent when the laptop gave up. */
  readonly number?: number;
  readonly code?: string;
  readonly waitedMs: number;
  /** How often it began anew, as at its next check. */
  readonly checks: number;
}

/** Of an hour, and of the ten minutes by which a timer is late; in the storm it is shorter. */
const NEXT_CHECK_MS = 60_000;
const CHECKS = 5;

// The gateway's name is not in any DNS.
dns.lookup = ((_name: string, options: { all?: boolean }, callback: (...args: unknown[]) => void) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
}) as typeof dns.lookup;

const crowd = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Crowd;
const slice = { intermediate: parseCertificate(crowd.intermediate), roots: [parseCertificate(crowd.root)] };
const prepared = await Promise.all(
  crowd.laptops.map(async ({ deviceId, hostName, key }) => {
    const privateKey = createPrivateKey(key);
    const deviceKey = fileDeviceKey(privateKey, 'device.key');
    return { deviceId, hostName, deviceKey, csr: base64url(await makeCsr(privateKey, hostName)) };
  }),
);

async function renew({ deviceId, hostName, deviceKey, csr }: (typeof prepared)[number]): Promise<void> {
  const { gatewayUrl, systemCa, customer, role } = crowd;
  const began = performance.now();
  const expected = { held: 1, deviceKey, slug: 'acme', hostName, customer, role };
  let outcome: Pick<Ended, 'number' | 'code'> = {};
  let checks = 0;
  while (outcome.number === undefined && checks++ < CHECKS) {
    const client = new GatewayClient({ gatewayUrl, systemCa });
    outcome = await client.renew({ deviceId, key: deviceKey, slice }, { csr }, expected, PUT_OFF).then(
      ({ number }) => ({ number }),
      (error: unknown) => ({ code: toKiwiError(error).code }),
    );
    await client.close();
    if (outcome.number === undefined) await sleep(NEXT_CHECK_MS * (1 + Math.random()));
  }
  const ended: Ended = { deviceId, ...outcome, checks, waitedMs: Math.round(performance.now() - began) };
  process.stdout.write(`${JSON.stringify(ended)}\n`);
}

process.stdout.write('{"type":"ready"}\n');
await once(process.stdin, 'data');
await Promise.all(prepared.map((laptop) => renew(laptop)));
process.exit(0);
