import { describe, expect, it } from 'vitest';

import { systemClock, type Clock } from '../../../../src/core/clock.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { decryptWith } from '../../../../src/pki/jwe.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { LIMITS, TYP } from '../../../../src/protocol/common.ts';
import { parseMessage } from '../../../../src/protocol/parse.ts';
import { signInDirectory, type SignInDirectory } from '../../../../src/protocol/sign-in-directory.ts';
import { signInSetting } from '../../../../src/slice/config/sign-in-setting.ts';
import type { DeviceAccounts } from '../../../../src/slice/directory/device-accounts.ts';
import { signInOffice, type SignInAsker, type SignInReply } from '../../../../src/slice/directory/sign-in-office.ts';

const SETTING = signInSetting.parse({
  ...{
    uris: ['ldaps://dc.corp.example'],
    base: 'dc=corp,dc=example',
    realm: 'CORP.EXAMPLE',
    kdcs: ['dc.corp.example'],
  },
  hosts: 'laptops.corp.example',
  accounts: { by: 'kadmin', principal: 'kiwistack/admin@CORP.EXAMPLE', server: 'dc.corp.example' },
});
const ROOTS = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
const key = generateP256();
const asker = (change: Partial<SignInAsker> = {}): SignInAsker => ({
  ...{ deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001', hostName: 'anna-laptop' },
  ...{ deviceKey: publicJwk(key), keyKind: 'unproven', ...change },
});

/** A directory that makes accounts when it is told to. */
class Directory implements DeviceAccounts {
  readonly made: string[] = [];
  away = false;
  /** Set: it does not answer before this has happened. */
  until: Promise<void> | undefined;

  principal({ deviceId }: { deviceId: string }): string {
    return `host/${deviceId}.laptops.corp.example@CORP.EXAMPLE`;
  }

  async make({ deviceId }: { deviceId: string }): Promise<Buffer> {
    await this.until;
    if (this.away) throw new KiwiError('directory-unavailable', { detail: 'ECONNREFUSED' });
    this.made.push(deviceId);
    return Buffer.from('the keytab');
  }

  retireKey = (): Promise<void> => Promise.resolve();
  remove = (): Promise<void> => Promise.resolve();
}

const nothing = (): Promise<void> => Promise.resolve();
async function opened({ answer }: SignInReply): Promise<SignInDirectory> {
  if (answer.state !== 'given') throw new Error(answer.state);
  return parseMessage(
    signInDirectory,
    await decryptWith(key, answer.sealed, TYP.signInEncrypted),
    LIMITS.signIn,
    'internal',
  );
}

describe('a laptop that asks how people sign in', () => {
  it('is told so, sealed to its key, and the same revision for as long as nothing changes', async () => {
    const directory = new Directory();
    const office = signInOffice(SETTING, directory, ROOTS, systemClock);
    const noted: string[] = [];
    const given = await opened(
      await office.reply(asker(), null, () => {
        noted.push(`before ${directory.made.length}`);
        return Promise.resolve();
      }),
    );
    expect(noted).toEqual(['before 0']);
    expect(given).toMatchObject({ ldap: { roots: ROOTS, binding: 'external' }, offlineDays: 14 });
    expect(given.kerberos).toMatchObject({ domains: ['laptops.corp.example'] });
    expect(Buffer.from(given.kerberos.keytab, 'base64url').toString()).toBe('the keytab');
    expect((await office.reply(asker(), given.revision, nothing)).answer).toEqual({ state: 'held' });
    expect(directory.made).toHaveLength(1);
    const changed = signInOffice({ ...SETTING, offlineDays: 3 }, directory, ROOTS, systemClock);
    expect((await opened(await changed.reply(asker(), given.revision, nothing))).offlineDays).toBe(3);
  });

  it('binds with the keytab where its key is in a TPM', async () => {
    const office = signInOffice(SETTING, new Directory(), ROOTS, systemClock);
    expect((await opened(await office.reply(asker({ keyKind: 'tpm' }), null, nothing))).ldap.binding).toBe('gssapi');
  });

  it('is told that the directory is away, and the slice why', async () => {
    const directory = new Directory();
    directory.away = true;
    const office = signInOffice(SETTING, directory, ROOTS, systemClock);
    expect(await office.reply(asker(), null, nothing)).toMatchObject({
      ...{ answer: { state: 'unavailable' }, error: { code: 'directory-unavailable', detail: 'ECONNREFUSED' } },
    });
  });

  it('does not wait for a directory that does not answer, and has its accounts made once, however often it asks', async () => {
    const directory = new Directory();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    directory.until = promise;
    // The time is always over at once.
    const hasty: Clock = { ...systemClock, sleep: () => Promise.resolve() };
    const office = signInOffice(SETTING, directory, ROOTS, hasty);
    for (let times = 0; times < 3; times++) {
      expect((await office.reply(asker(), null, nothing)).answer).toEqual({ state: 'unavailable' });
    }
    resolve(undefined);
    await new Promise((done) => setImmediate(done));
    expect(directory.made).toHaveLength(1);
  });

  it('comes back later where too many do so at once', async () => {
    const directory = new Directory();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    directory.until = promise;
    const office = signInOffice(SETTING, directory, ROOTS, systemClock);
    const ids = Array.from({ length: 9 }, (_, index) => `${index}`.padStart(36, '0'));
    const replies = ids.map((deviceId) => office.reply(asker({ deviceId }), null, nothing));
    expect((await replies[8])?.answer).toEqual({ state: 'unavailable' });
    resolve(undefined);
    const states = (await Promise.all(replies)).map(({ answer }) => answer.state);
    expect(states).toEqual([...Array.from({ length: 8 }, () => 'given'), 'unavailable']);
  });
});
