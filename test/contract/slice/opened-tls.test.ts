import { afterAll, beforeAll, expect, test } from 'vitest';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { GatewayClient, type DeviceIdentity } from '../../../src/laptop/gateway-client/gateway-client.ts';
import { parseProxy } from '../../../src/laptop/gateway-client/proxy.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import type { Grant } from '../../../src/protocol/grant.ts';
import { startOpeningProxy, type OpeningProxy } from '../../fakes/opening-proxy.ts';
import {
  newHello,
  newLaptop,
  newStatement,
  readChallenge,
  readGrant,
  sealStatement,
} from '../../fakes/slice/test-laptop.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { readText } from './enrolling.ts';

// A laptop in an office whose proxy opens TLS: the laptop trusts the proxy's CA for the web, and not the gateway's.

let slice: TestSlice;
let key: ProvisionedKey;
let proxy: OpeningProxy;
let client: GatewayClient;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 42_000_001 });
  const { port } = slice.running.listen;
  const ca = readText(slice.paths.webCa.certificate);
  proxy = await startOpeningProxy({ name: 'enroll.acme.example', port, ca });
  const gatewayUrl = `https://enroll.acme.example:${port}`;
  client = new GatewayClient({ gatewayUrl, systemCa: proxy.ca, proxy: parseProxy(proxy.address, 'HTTPS_PROXY') });
});
afterAll(async () => {
  await client.close();
  await proxy.close();
  await slice.remove();
});

const laptop = newLaptop();
let grant: Grant;
let device: DeviceIdentity;
const renewal = async () => ({ csr: base64url(await makeCsr(laptop.deviceKey, grant.hostName)) });
const expected = (held: number) => ({
  ...{ held, deviceKey: fileDeviceKey(laptop.deviceKey, 'device.key'), slug: 'acme', hostName: grant.hostName },
  ...{ customer: 'Acme GmbH', role: 'engineer' },
});

test('through a proxy that opens TLS a laptop enrolls, confirms, asks and renews', async () => {
  const challenge = readChallenge(await client.hello(Buffer.from(JSON.stringify(newHello(laptop)))));
  const statement = await newStatement(laptop, challenge, key);
  const jwe = await sealStatement(statement, { challenge, laptop, yubikey: key, chain: key.chain });
  const granted = await client.statement(challenge.content.sessionId, jwe);
  grant = await readGrant(laptop, granted);
  const { intermediate } = slice.running.context.identity;
  const roots = [parseCertificate(readText(slice.paths.msp.certificate))];
  device = {
    deviceId: grant.deviceId,
    key: fileDeviceKey(laptop.deviceKey, 'device.key'),
    slice: { intermediate, roots },
  };
  expect(await client.confirm(device, { grantHash: digest(granted) })).toMatchObject({ state: 'active' });
  expect(await client.status(device)).toMatchObject({ state: 'active' });
  expect(await client.renew(device, await renewal(), expected(1))).toMatchObject({ number: 2 });
});

test('the proxy has read all of it and no secret', () => {
  const read = proxy.read.join('\n');
  // What it may know, by docs/protocol.md: the device, and that it renews.
  expect(unwrapped(read)).toContain(grant.deviceId);
  expect(unwrapped(read)).toContain('"held":1');
  const { presharedKey, address } = grant.wireguard;
  const secrets = [presharedKey, grant.fleet.enrollSecret, address, grant.fleet.url];
  const machine = Object.values(laptop.machine).flat();
  for (const secret of [...secrets, ...machine]) expect(unwrapped(read)).not.toContain(secret);
});

test('what the proxy changes is noticed, and nothing comes of it', async () => {
  proxy.change = (path, answer) => {
    if (!path.endsWith('/renewals')) return answer;
    const [header = '', payload = '', signature = ''] = answer.split('.');
    const content = Buffer.from(payload, 'base64url').toString().replace('"number":3', '"number":9');
    return [header, base64url(Buffer.from(content)), signature].join('.');
  };
  await expect(client.renew(device, await renewal(), expected(2))).rejects.toMatchObject({ code: 'slice-not-proven' });
  proxy.change = undefined;
  // The slice had given number 3, which never arrived.
  expect(await client.renew(device, await renewal(), expected(2))).toMatchObject({ number: 4 });
});

test('a page of the proxy is not taken for an answer', async () => {
  proxy.change = () => '<html>blocked</html>';
  await expect(client.renew(device, await renewal(), expected(4))).rejects.toMatchObject({ code: 'slice-not-proven' });
  proxy.change = undefined;
});

/** The text with every part of a JWS decoded. */
function unwrapped(text: string): string {
  return text.replaceAll(/[\w-]{40,}/gu, (part) => `${part} ${Buffer.from(part, 'base64url').toString('latin1')}`);
}
