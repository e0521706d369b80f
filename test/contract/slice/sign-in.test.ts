import { writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { PROTOCOL, TYP, MEDIA, LIMITS } from '../../../src/protocol/common.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import {
  SIGN_IN_DIRECTORY,
  signInAnswerIn,
  signInDirectory,
  type SignInAnswer,
  type SignInDirectory,
} from '../../../src/protocol/sign-in-directory.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { decryptWith } from '../../../src/pki/jwe.ts';
import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import { udmAccounts } from '../../../src/slice/directory/udm-accounts.ts';
import { StandInUdm } from '../../fakes/slice/stand-in-udm.ts';
import { PATHS, readStatus, signDeviceMessage, type Laptop } from '../../fakes/slice/test-laptop.ts';
import { freePorts, startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { ADA, ALAN, Domain, GRACE } from '../../world/domain.ts';
import { DC, DEVICES, HOSTS, REALM } from '../../world/domain-files.ts';
import { asOperator, enrollAndConfirm, type Enrolled } from './enrolling.ts';
import { FleetHand } from './fleet-hand.ts';

/** The slice's rounds, and one repetition. */
const SOON = { timeout: 60_000, interval: 200 };

let fleet: FleetHand;
let slice: TestSlice;
let domain: Domain;
let key: ProvisionedKey;
beforeAll(async () => {
  fleet = await FleetHand.start();
  slice = await startTestSlice({ fleet: fleet.config });
  key = await slice.provision({ serial: 20_000_652 });
  await slice.stop();
  const [ldaps = 0, kdc = 0, kadmin = 0] = await freePorts(3);
  domain = await Domain.make({
    ...{ address: '127.0.0.1', ports: { ldaps, kdc, kadmin } },
    deviceRoots: slice.running.context.identity.mspRoot.pem,
  });
  await domain.start();
  writeFileSync(slice.paths.directory.secret, `${domain.secret}\n`, { mode: 0o600 });
  writeFileSync(slice.paths.directory.ca, domain.ca);
  writeFileSync(slice.paths.directory.keytab, domain.adminKeytab, { mode: 0o600 });
  await writeSliceConfig(slice.dir, { ...(await readSliceConfig(slice.dir)), directory: domain.config });
  await slice.start();
});
afterAll(async () => {
  await slice.remove();
  await domain.remove();
  await fleet.remove();
});

/** A laptop asks how people sign in. */
async function ask({ laptop, grant }: Enrolled, held: string | null = null): Promise<SignInAnswer | undefined> {
  const { deviceId } = grant;
  const message = {
    ...{ protocol: PROTOCOL, deviceId, nonce: Buffer.alloc(16, 7).toString('base64url') },
    timestamp: new Date(slice.clock.now()).toISOString(),
    extensions: { [SIGN_IN_DIRECTORY]: { critical: false, value: { held } } },
  };
  const jws = await signDeviceMessage(laptop, TYP.status, message);
  return signInAnswerIn(
    readStatus(await slice.gateway.send('POST', PATHS.device(deviceId, 'status'), MEDIA.jose, jws)),
  );
}

async function opened(answer: SignInAnswer | undefined, laptop: Laptop): Promise<SignInDirectory> {
  if (answer?.state !== 'given') throw new Error(answer?.state ?? 'nothing');
  const text = await decryptWith(laptop.deviceKey, answer.sealed, TYP.signInEncrypted);
  return parseMessage(signInDirectory, text, LIMITS.signIn, 'internal');
}
const given = async (enrolled: Enrolled): Promise<SignInDirectory> => opened(await ask(enrolled), enrolled.laptop);

/** Whether the keytab that a laptop was given gets a ticket: empty, or what the KDC says. */
async function refusal({ kerberos }: SignInDirectory): Promise<string> {
  const { code, said } = await domain.ticket(kerberos.principal, Buffer.from(kerberos.keytab, 'base64url'));
  return code === 0 ? '' : said;
}

/** What the directory has of a laptop. */
const entryOf = async ({ grant }: Enrolled): Promise<string> =>
  (await domain.ldap('ldapsearch', '', '-LLL', '-b', DEVICES, `(cn=${grant.hostName})`, '*', '+')).said;

/** Whom a laptop finds in the directory with its device certificate. */
const sees = ({ grant, laptop }: Enrolled): Promise<string[]> => {
  const chain = grant.certificate.chain.map((der) => parseCertificate(Buffer.from(der, 'base64url')).pem).join('');
  return domain.people(chain, laptop.deviceKey.export({ format: 'pem', type: 'pkcs8' }).toString());
};

describe('the accounts of a laptop, in a real slapd and a real Heimdal KDC', () => {
  test('are made when it asks how people sign in: its certificate opens the directory, its keytab gets a ticket', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(await entryOf(enrolled)).toBe('');
    expect(await sees(enrolled)).toEqual([]);
    const answer = await ask(enrolled);
    const said = await opened(answer, enrolled.laptop);
    expect(said).toMatchObject({ ldap: { roots: domain.ca, binding: 'external' }, offlineDays: 14 });
    expect(said.kerberos.principal).toBe(`host/${enrolled.grant.deviceId}.${HOSTS}@${REALM}`);
    expect(await entryOf(enrolled)).toContain(`description: KiwiStack device ${enrolled.grant.deviceId}\n`);
    expect(await sees(enrolled)).toEqual([ADA.uid, GRACE.uid, ALAN.uid]);
    expect(await refusal(said)).toBe('');
    // Nobody else reads it.
    const other = await enrollAndConfirm(slice, key);
    await expect(opened(answer, other.laptop)).rejects.toMatchObject({ reason: 'undecryptable' });
  });

  test('stay the same when it asks again, and what it holds still counts', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const first = await given(enrolled);
    expect(await ask(enrolled, first.revision)).toEqual({ state: 'held' });
    const again = await given(enrolled);
    expect(again.revision).toBe(first.revision);
    expect(keysOf(again)).toEqual(keysOf(first));
    expect(await refusal(first)).toBe('');
    expect((await entryOf(enrolled)).match(/^dn: /gmu)).toHaveLength(1);
  });

  test('are made later, where the directory or the KDC is away when it asks', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await domain.stop('slapd');
    expect(await ask(enrolled)).toEqual({ state: 'unavailable' });
    await domain.start('slapd');
    await domain.stop('kadmind');
    expect(await ask(enrolled)).toEqual({ state: 'unavailable' });
    await domain.start('kadmind');
    expect(await refusal(await given(enrolled))).toBe('');
  });

  test('are gone when the device ends', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const said = await given(enrolled);
    await asOperator(slice, (operator) =>
      operator.ask('device.end', { devices: [enrolled.grant.deviceId], why: 'offboarded' }),
    );
    await vi.waitFor(async () => expect(await entryOf(enrolled)).toBe(''), SOON);
    expect(await refusal(said)).toContain('unknown');
    expect(await sees(enrolled)).toEqual([]);
    await expect(domain.kadmin('get', said.kerberos.principal)).rejects.toThrow('does not exist');
  });

  test('count no more when it is lost: the entry is disabled, and the key is gone', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const said = await given(enrolled);
    await asOperator(slice, (operator) =>
      operator.ask('device.lose', { device: enrolled.grant.deviceId, why: 'left in a train' }),
    );
    await vi.waitFor(async () => expect(await refusal(said)).toContain('unknown'), SOON);
    await vi.waitFor(
      async () => expect(await entryOf(enrolled)).toContain('pwdAccountLockedTime: 000001010000Z'),
      SOON,
    );
    expect(await sees(enrolled)).toEqual([]);
  });

  test('leave an entry to the administrator who made it', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const { hostName, deviceId } = enrolled.grant;
    const ldif = `dn: cn=${hostName},${DEVICES}\nobjectClass: device\ncn: ${hostName}\ndescription: Ada's\n`;
    expect(await domain.ldap('ldapadd', ldif)).toMatchObject({ code: 0 });
    const said = await given(enrolled);
    await asOperator(slice, (operator) => operator.ask('device.end', { devices: [deviceId], why: 'offboarded' }));
    await vi.waitFor(async () => expect(await refusal(said)).toContain('unknown'), SOON);
    expect(await entryOf(enrolled)).toContain("description: Ada's\n");
  });

  test.each([`ldap/${DC}`, ADA.uid, 'kadmin/admin', `host/${DC}`])(
    'are all that the slice can get: not the key of %s',
    async (name) => {
      if (name.startsWith('host/')) await domain.kadmin('add', '--random-key', '--use-defaults', name);
      const file = `${domain.dir}/work/stolen`;
      const stolen = await domain.asSlice('ext_keytab', `--keytab=FILE:${file}`, `${name}@${REALM}`);
      expect(stolen.said).toMatch(/privilege/u);
      expect((await domain.asSlice('cpw', '--random-key', `${name}@${REALM}`)).said).toMatch(/privilege/u);
      expect((await domain.asSlice('delete', `${name}@${REALM}`)).said).toMatch(/privilege/u);
    },
  );
});

describe('the accounts of a laptop by Univention’s Directory Manager, a stand-in, with a real KDC', () => {
  const POSITION = 'cn=laptops,cn=computers,dc=corp,dc=example';
  const OWNER = { deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001', hostName: 'anna-laptop' };
  const PRINCIPAL = `host/anna-laptop.corp.example@${REALM}`;

  test('have a keytab that gets a ticket, with keys that the KDC made from the same password', async () => {
    const { udm, url, ca } = await StandInUdm.start();
    udm.madeKeys = ({ properties }) =>
      domain.kadmin('add', `--password=${String(properties['password'])}`, '--use-defaults', PRINCIPAL);
    udm.lostKeys = () => domain.kadmin('delete', PRINCIPAL);
    const accounts = udmAccounts({
      ...{ url, ca, user: 'kiwistack', password: 'the password', position: POSITION },
      ...{ hosts: 'corp.example', realm: REALM, now: () => Date.now() },
    });
    expect(accounts.principal(OWNER)).toBe(PRINCIPAL);
    const first = await accounts.make(OWNER);
    expect(await domain.ticket(PRINCIPAL, first)).toMatchObject({ code: 0 });
    const second = await accounts.make(OWNER);
    expect(await domain.ticket(PRINCIPAL, second)).toMatchObject({ code: 0 });
    // The password was thrown away with the account.
    expect((await domain.ticket(PRINCIPAL, first)).code).not.toBe(0);
    await accounts.remove(OWNER);
    expect((await domain.ticket(PRINCIPAL, second)).said).toContain('unknown');
    await udm.stop();
  });
});

/** The keys in a keytab, with their numbers and without the time at which it was written. */
function keysOf({ kerberos }: SignInDirectory): string[] {
  const bytes = Buffer.from(kerberos.keytab, 'base64url');
  const keys: string[] = [];
  for (let at = 2; at < bytes.length;) {
    const entry = bytes.subarray(at + 4, at + 4 + bytes.readInt32BE(at));
    at += 4 + entry.length;
    // After the names: their number, the realm and each name, counted; their type and the time.
    let place = 2;
    for (let names = entry.readUInt16BE(0) + 1; names > 0; names--) place += 2 + entry.readUInt16BE(place);
    keys.push(entry.subarray(place + 8).toString('hex'));
  }
  return keys.toSorted();
}
