import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { WindowsCertificateStore } from '../../platform/windows/certificate-store.ts';
import { callHelper } from '../../platform/windows/helper.ts';
import { storedCertificates } from '../../platform/windows/machine-store.ts';
import { adapters, routes } from '../../platform/windows/adapters.ts';
import { seal, unseal } from '../../platform/windows/sealed.ts';
import { WindowsTrustStore } from '../../platform/windows/trust-store.ts';
import { nameRules, removeNameRule, setNameRule } from '../../platform/windows/tunnel/nrpt.ts';
import { whoAmI } from '../../platform/windows/who-am-i.ts';
import { makeTestRoot } from '../unit/platform/linux/test-certificates.ts';
import { Wine } from './wine.ts';

let wine: Wine;
beforeAll(async () => {
  wine = await Wine.make();
});
afterAll(() => wine.destroy());

describe('the helper', () => {
  it('says how it is used, for a verb that there is not and for arguments too many', async () => {
    for (const args of [[], ['nothing'], ['whoami', 'again'], ['ping', '127.0.0.1', '1']]) {
      const { code, stderr } = await wine.helper(args);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr.toString()).toContain('usage: kiwistack-helper');
    }
  });

  it('tells who runs it', async () => {
    expect(await whoAmI(wine)).toMatchObject({
      sid: expect.stringMatching(/^S-1-5-21-/u) as string,
      administrator: true,
    });
  });

  it('refuses more input than it has room for', async () => {
    const { code } = await wine.helper(['seal', 'test'], Buffer.alloc(256 * 1024 + 1));
    expect(code).toBe(1);
  });

  it('knows the network, in the form that is expected', async () => {
    const cards = await adapters(wine);
    expect(cards.some(({ addresses }) => addresses.includes('127.0.0.1/8'))).toBe(true);
    for (const { destination } of await routes(wine)) expect(destination).toMatch(/^[0-9.]+\/\d+$/u);
    expect((await callHelper(wine, ['ping', '127.0.0.1', '1000', '0'])).code).toBe(0);
    expect((await callHelper(wine, ['ping', '::1', '1000', '0'])).code).toBe(2);
    expect((await callHelper(wine, ['ping', '127.0.0.1', '1000', 'x'])).code).toBe(2);
  });

  it('reads the table of the firmware, in the form that is expected', async () => {
    const { code, stdout } = await wine.helper(['smbios']);
    expect(code).toBe(0);
    expect(stdout.readUInt32LE(4)).toBe(stdout.length - 8);
  });

  it('tells a file that is not there from one that is', async () => {
    const folder = path.join(wine.root, 'ProgramData/here');
    await mkdir(folder, { recursive: true });
    expect((await callHelper(wine, ['file-security', folder])).stdout.toString()).toMatch(
      /^\{"kind":"folder","security":"O:/u,
    );
    expect((await callHelper(wine, ['file-security', path.join(folder, 'not')])).code).toBe(3);
  });
});

describe('DPAPI', () => {
  it('gives back what was sealed, for the same purpose only', async () => {
    const secret = randomBytes(1000);
    const sealed = await seal(wine, 'a purpose', secret);
    expect(sealed.includes(secret.subarray(0, 32))).toBe(false);
    expect(await unseal(wine, 'a purpose', sealed)).toEqual(secret);
    await expect(unseal(wine, 'another', sealed)).rejects.toMatchObject({ code: 'program-failed' });
  });

  it('does not open what was changed', async () => {
    const sealed = await seal(wine, 'a purpose', Buffer.from('secret'));
    sealed.writeUInt8(sealed.readUInt8(sealed.length - 30) ^ 1, sealed.length - 30);
    await expect(unseal(wine, 'a purpose', sealed)).rejects.toMatchObject({ code: 'program-failed' });
  });
});

describe('the stores of certificates', () => {
  it('keep a root, and lose it again', async () => {
    const trust = new WindowsTrustStore(wine);
    const { certificate } = await makeTestRoot('KiwiStack MSP Root');
    const before = await storedCertificates(wine, 'ROOT');
    await trust.install([certificate]);
    expect(await trust.verify([certificate])).toBe(true);
    expect(await trust.found()).toHaveLength(1);
    await trust.remove();
    expect(await trust.verify([certificate])).toBe(false);
    expect(await storedCertificates(wine, 'ROOT')).toHaveLength(before.length);
  });

  it('refuse what is no certificate, and a store that is none of ours', async () => {
    expect((await wine.helper(['certificate-add', 'ROOT', 'x'], Buffer.from('no certificate'))).code).toBe(1);
    expect((await wine.helper(['certificate-list', 'TrustedPublisher'])).code).toBe(1);
    expect((await wine.helper(['certificate-remove', 'ROOT', 'ABCD'])).code).toBe(2);
  });

  it('are found empty of ours before an enrollment', async () => {
    expect(await new WindowsCertificateStore(wine).found()).toEqual([]);
  });
});

describe('the registry', () => {
  const dns = { servers: ['10.77.1.30', '10.77.1.31'], domains: ['corp.example', 'acme.test'] };

  it('takes the rule for names from the file, and lists it as it was meant', async () => {
    await setNameRule(wine, 'kiwi-acme', dns);
    await setNameRule(wine, 'kiwi-acme', dns);
    expect(await nameRules(wine)).toEqual([{ tunnel: 'kiwi-acme', ...dns }]);
    await removeNameRule(wine, 'kiwi-acme');
    await removeNameRule(wine, 'kiwi-acme');
    expect(await nameRules(wine)).toEqual([]);
  });

  it('leaves a rule of somebody else', async () => {
    const key = String.raw`HKLM\SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig\{other}`;
    const program = path.join(wine.root, 'Windows/System32/reg.exe');
    const reg = (...args: string[]): Promise<{ code: number }> => wine.run({ program, args });
    await reg('add', key, '/v', 'Comment', '/t', 'REG_SZ', '/d', 'Other VPN', '/f');
    await setNameRule(wine, 'kiwi-acme', dns);
    expect(await nameRules(wine)).toHaveLength(1);
    await removeNameRule(wine, 'kiwi-acme');
    expect((await reg('query', key, '/v', 'Comment')).code).toBe(0);
  });
});
