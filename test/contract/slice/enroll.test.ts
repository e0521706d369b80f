import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  newHello,
  newLaptop,
  newStatement,
  readChallenge,
  readGrant,
  sealStatement,
  readStatus,
  sendConfirm,
  sendHello,
  sendStatement,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice();
});
afterAll(() => slice.remove());

test('a laptop with a registered key gets a certificate, an address and a peer, and becomes active', async () => {
  const yubikey = await slice.provision({ serial: 12_345_678 });
  const laptop = newLaptop();
  const hello = await sendHello(slice.gateway, newHello(laptop));
  expect([hello.status, hello.body.slice(0, 2)]).toEqual([200, 'ey']);
  const challenge = readChallenge(hello.body);
  const statement = await newStatement(laptop, challenge, yubikey);
  const jwe = await sealStatement(statement, { challenge, laptop, yubikey, chain: yubikey.chain });
  const answer = await sendStatement(slice.gateway, challenge.content.sessionId, jwe);
  expect(answer.status, answer.body).toBe(200);
  const grant = await readGrant(laptop, answer.body);
  const certificate = parseCertificate(Buffer.from(grant.certificate.chain[0] ?? '', 'base64url'));
  expect(certificate.subject).toEqual({ cn: laptop.hostName, o: 'Acme GmbH', ou: 'engineer' });
  expect(slice.endpoint.peers.get(laptop.wireguardPublicKey)?.address).toBe(grant.wireguard.address);
  const confirmed = await sendConfirm(slice.gateway, laptop, grant.deviceId, answer.body);
  expect(readStatus(confirmed).state).toBe('active');
});
