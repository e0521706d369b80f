import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parsePemBundle, type Certificate } from '../../../src/pki/certificate.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { openSlice } from '../../../src/slice/operator/open-slice.ts';
import { Provider, type OtherCustomer } from '../../world/provider.ts';
import { INTRANET_URL, OPERATOR, PIN, type EnrollResult } from '../../world/world.ts';
import { Customer, type Seat } from '../01-enrollment/customer.ts';

// Two customers of one provider, each with an enrolled laptop, and the day on which the key of one intermediate was stolen. Every command is one
// that a person or a timer runs.

let customer: Customer;
let provider: Provider;
let beta: OtherCustomer;
let ada: Seat;
let bo: Seat;
let old: Certificate;

const cli = ({ laptop }: Seat, ...args: string[]): Promise<EnrollResult> =>
  customer.world.cli(laptop, [...args, '--json']);
const sh = async ({ laptop }: Seat, script: string): Promise<string> =>
  (await laptop.run(['/bin/sh', '-c', script])).stdout.trim();
/** Leaf and intermediate that a laptop holds. */
const chainOf = async ({ laptop }: Seat, slug = 'acme'): Promise<readonly Certificate[]> =>
  parsePemBundle(await readFile(laptop.path(`/etc/step/certs/${slug}.crt`), 'utf8'));
const issuerOf = async (seat: Seat): Promise<string | undefined> => (await chainOf(seat))[1]?.serialHex;
const present = async (): Promise<string | undefined> =>
  parsePemBundle(await readFile(path.join(customer.world.sliceDir, 'ca/intermediate.crt'), 'utf8'))[0]?.serialHex;

/** An operator renews the certificate of somebody's key. */
async function reissue(seat: Seat): Promise<void> {
  await seat.reader.stop();
  const reader = await customer.world.plugIn(customer.world.slice, seat.serial, { mode: 'never' });
  const result = await customer.world.operator(['yubikey', 'reissue', '--dir', customer.world.sliceDir, '--json']);
  expect(result, result.stdout + result.stderr).toMatchObject({ code: 0 });
  await reader.stop();
  seat.reader = await customer.world.plugIn(seat.laptop, seat.serial, { places: 2 });
}

beforeAll(async () => {
  customer = await Customer.create();
  provider = new Provider(customer.world);
  [beta, ada, bo] = [await provider.addCustomer(), await customer.seat('ada'), await customer.seat('bo')];
  // Bo's key is one of Beta's.
  await bo.reader.stop();
  const serial = 20_900_001;
  customer.world.makeKey(serial);
  const reader = await customer.world.plugIn(customer.world.slice, serial);
  const provision = ['yubikey', 'provision', '--dir', beta.dir, '--role', 'teacher', '--pin-fd', '0', '--json'];
  const made = await customer.world.slice.run([...OPERATOR, ...provision], { input: `${PIN}\n` });
  expect(made, made.stdout + made.stderr).toMatchObject({ code: 0 });
  await reader.stop();
  bo = { ...bo, serial, reader: await customer.world.plugIn(bo.laptop, serial) };
  for (const { laptop } of [ada, bo]) {
    const enrolled = await customer.world.enroll(laptop);
    expect(enrolled, enrolled.stdout + enrolled.stderr).toMatchObject({ code: 0 });
  }
  const [, intermediate] = await chainOf(ada);
  if (intermediate === undefined) throw new Error('a chain of two');
  old = intermediate;
});
afterAll(async () => {
  await beta.end();
  await customer.destroy();
});

describe('the key of Acme’s intermediate was stolen', () => {
  test('three commands replace it, and a laptop follows at its next check, without its YubiKey', async () => {
    const tunnel = await sh(ada, 'wg show kiwi-acme public-key');
    await ada.reader.stop();
    await provider.replace();
    expect(await present()).not.toBe(old.serialHex);
    const checked = await cli(ada, 'check');
    expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0, result: { renewal: { number: 2 } } });
    expect(await issuerOf(ada)).toBe(await present());
    const certs = '/etc/step/certs';
    expect(
      await sh(ada, `openssl verify -CAfile ${certs}/root_ca.crt -untrusted ${certs}/acme.crt ${certs}/acme.crt`),
    ).toContain(': OK');
    expect(await sh(ada, 'wg show kiwi-acme public-key')).toBe(tunnel);
    expect(await sh(ada, 'openssl crl -in /var/lib/kiwistack/revoked.pem -noout -text')).toMatch(
      new RegExp(`Serial Number: 0?${old.serialHex}`, 'i'),
    );
    const status = await cli(ada, 'status');
    expect(status, status.stdout).toMatchObject({ code: 0, result: { slice: { state: 'active' } } });
    ada.reader = await customer.world.plugIn(ada.laptop, ada.serial, { places: 2 });
  });

  test('what the old one issued is refused by whoever looks at the list, and only by them', async () => {
    // The intranet's certificate is still the old one's, as that of a thief would be.
    const get = `curl -sS --max-time 5 ${INTRANET_URL}`;
    expect(await sh(ada, get)).toContain('this is inside');
    const chain = `openssl s_client -connect 10.77.1.30:443 -showcerts </dev/null 2>/dev/null`;
    const verify = 'openssl verify -CAfile /etc/step/certs/root_ca.crt -untrusted /tmp/chain -crl_check_all';
    const lists = '-CRLfile /var/lib/kiwistack/revoked.pem';
    const said = await sh(ada, `${chain} >/tmp/chain; ${verify} ${lists} /tmp/chain 2>&1; rm /tmp/chain`);
    expect(said).toMatch(/unable to get certificate CRL|certificate revoked/);
    const [, intermediate] = await chainOf(ada);
    const own = path.join('/tmp', 'intermediate.pem');
    await ada.laptop.run(['/bin/sh', '-c', `cat >${own}`], { input: old.pem });
    const one = (file: string): string =>
      `openssl verify -CAfile /etc/step/certs/root_ca.crt -crl_check ${lists} ${file} 2>&1`;
    expect(await sh(ada, one(own))).toContain('certificate revoked');
    await ada.laptop.run(['/bin/sh', '-c', `cat >${own}`], { input: intermediate?.pem ?? '' });
    expect(await sh(ada, one(own))).toContain(': OK');
    await ada.laptop.run(['/bin/rm', own]);
  });

  test('a YubiKey of before enrolls nobody until it has another certificate, which needs no PIN', async () => {
    const eve = await customer.seat('eve');
    // A key that was given out before, in a laptop that is new: that of ada.
    await eve.reader.stop();
    await ada.reader.stop();
    eve.reader = await customer.world.plugIn(eve.laptop, ada.serial, { places: 2 });
    const refused = await customer.world.enroll(eve.laptop);
    expect(refused.result).toMatchObject({ error: { code: 'key-certificate-replaced' } });
    await reissue({ ...eve, serial: ada.serial });
    const again = await customer.world.enroll(eve.laptop);
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    expect(await issuerOf(eve)).toBe(await present());
    expect((await cli(eve, 'uninstall')).code).toBe(0);
  });

  test('the other customer of the provider notices nothing', async () => {
    const before = await chainOf(bo, 'beta');
    const checked = await cli(bo, 'check');
    expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0, result: { result: 'active' } });
    expect(checked.result).not.toHaveProperty('renewal');
    expect(await cli(bo, 'status')).toMatchObject({ code: 0, result: { slice: { state: 'active' } } });
    // And with the list, which the provider gives to all.
    await provider.slice('intermediate', 'revoked', '--dir', beta.dir, '--in', provider.list);
    await beta.stop();
    await beta.start();
    expect((await cli(bo, 'check')).result).not.toHaveProperty('renewal');
    expect(await sh(bo, 'ls /var/lib/kiwistack')).toContain('revoked.pem');
    expect((await chainOf(bo, 'beta')).map(({ serialHex }) => serialHex)).toEqual(
      before.map(({ serialHex }) => serialHex),
    );
    const operator = await openSlice(beta.dir, systemClock);
    const audit = await operator.ask('audit.list', { limit: 200 });
    await operator.close();
    expect(audit.filter(({ decision }) => decision !== 'allowed')).toEqual([]);
  });

  test('where a touch is wanted, the laptop says so, and enrolls again with its YubiKey', async () => {
    await provider.replace(['--rekey', 'touch'], ['--list', provider.list]);
    const checked = await cli(ada, 'check');
    expect(checked.result).toMatchObject({ renewal: { error: { code: 'touch-required' } } });
    const status = await customer.world.cli(ada.laptop, ['status']);
    expect(status.stdout + status.stderr).toMatch(/touch-required|new keys/u);
    await reissue(ada);
    const again = await customer.world.enroll(ada.laptop);
    expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
    expect(await issuerOf(ada)).toBe(await present());
    expect(await cli(ada, 'status')).toMatchObject({ code: 0 });
  });
});
