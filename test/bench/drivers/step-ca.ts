// In the slice's room: what step-ca's bare /sign can do, through one client with kept connections.
// argv: slice folder, number, concurrency. Prints {"sequentialMs":[…],"concurrentMs":…}.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { systemClock } from '../../../src/core/clock.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { deviceUri } from '../../../src/pki/roles.ts';
import { createCaClient, type SignInput } from '../../../src/slice/ca/ca-client.ts';
import { PROVISIONER } from '../../../src/slice/ca/render-ca-config.ts';
import { readSliceConfig } from '../../../src/slice/config/slice-config.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { inParallel } from './in-parallel.ts';

const [, , dir = '', count = '0', concurrency = '1'] = process.argv;
const config = await readSliceConfig(dir);
const paths = slicePaths(dir);
const ca = createCaClient({
  url: `https://${config.inside.address}:${config.ca.port}`,
  root: readFileSync(paths.msp.certificate, 'utf8'),
  provisioner: PROVISIONER.gateway,
  keyId: config.ca.gatewayKid,
  key: createPrivateKey(readFileSync(paths.gateway.provisionerKey, 'utf8')),
  clock: systemClock,
});

async function requestFor(index: number): Promise<SignInput> {
  const host = `bench-${index}`;
  const uri = deviceUri(config.customer.slug, crypto.randomUUID());
  return {
    csr: await makeCsr(generateP256(), host),
    subject: host,
    claims: { device: { host, role: 'engineer', customer: config.customer.name, uri } },
  };
}

/** One after the other, and then at once, so that all connections are open when the clock starts. */
const [ONE_BY_ONE, WARM] = [20, 4 * Number(concurrency)];
const length = ONE_BY_ONE + WARM + Number(count);
const requests = await Promise.all(Array.from({ length }, (_, index) => requestFor(index)));
const sequentialMs: number[] = [];
for (const request of requests.splice(0, ONE_BY_ONE)) {
  const start = performance.now();
  await ca.sign(request);
  sequentialMs.push(performance.now() - start);
}
await inParallel(requests.splice(0, WARM), Number(concurrency), (request) => ca.sign(request));
const concurrentMs = await inParallel(requests, Number(concurrency), (request) => ca.sign(request));
await ca.close();
process.stdout.write(`${JSON.stringify({ sequentialMs, concurrentMs })}\n`);
