import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { udmAccounts } from '../../../../src/slice/directory/udm-accounts.ts';
import { StandInUdm } from '../../../fakes/slice/stand-in-udm.ts';

const POSITION = 'cn=laptops,cn=computers,dc=corp,dc=example';
const OWNER = { deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001', hostName: 'anna-laptop' };
const OTHER = { ...OWNER, deviceId: '11111111-6a1c-4b43-9a5e-07c3a4a1c001' };

let udm: StandInUdm;
let accounts: ReturnType<typeof udmAccounts>;
beforeEach(async () => {
  const started = await StandInUdm.start();
  udm = started.udm;
  accounts = udmAccounts({
    ...{ url: started.url, ca: started.ca, user: 'kiwistack', password: 'the password', position: POSITION },
    ...{ hosts: 'corp.example', realm: 'CORP.EXAMPLE', now: () => Date.UTC(2026, 10, 27) },
  });
});
afterEach(() => udm.stop());

const DN = `cn=anna-laptop,${POSITION}`;

describe('the accounts of laptops in Univention’s directory', () => {
  it('are computers with a password that nobody keeps, and a keytab that is made from it', async () => {
    const keytab = await accounts.make(OWNER);
    expect(keytab.toString('latin1')).toContain('anna-laptop.corp.example');
    const properties: Record<string, unknown> = udm.computers.get(DN)?.properties ?? {};
    expect(properties).toMatchObject({
      ...{ name: 'anna-laptop', domain: 'corp.example', inventoryNumber: [] },
      description: `KiwiStack device ${OWNER.deviceId}`,
    });
    expect(String(properties['password'])).toMatch(/^[\w-]{43}$/u);
    expect(accounts.principal(OWNER)).toBe('host/anna-laptop.corp.example@CORP.EXAMPLE');
    expect(udm.asked.join('\n')).not.toContain(String(properties['password']));
  });

  it('are made anew when a laptop asks again, and when its name is another device’s now', async () => {
    const first = await accounts.make(OWNER);
    expect((await accounts.make(OWNER)).equals(first)).toBe(false);
    await accounts.make(OTHER);
    expect([...udm.computers.keys()]).toEqual([DN]);
    await accounts.remove(OWNER);
    expect(udm.computers.size).toBe(1);
    await accounts.remove(OTHER);
    await accounts.remove(OTHER);
    expect(udm.computers.size).toBe(0);
  });

  it('are refused to a laptop that calls itself as a server does', async () => {
    udm.computers.set(DN, { dn: DN, properties: { name: 'anna-laptop', description: 'the file server' } });
    await expect(accounts.make(OWNER)).rejects.toMatchObject({ code: 'directory-unavailable' });
    await accounts.retireKey(OWNER);
    expect(udm.computers.get(DN)?.properties['description']).toBe('the file server');
  });

  it.each([401, 403, 500])('say that the directory refuses with %i, without the password', async (status) => {
    udm.refuses = status;
    const error: unknown = await accounts.make(OWNER).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'directory-unavailable',
      detail: expect.stringContaining(String(status)) as string,
    });
    expect(JSON.stringify(error)).not.toContain('the password');
  });

  it('say that the directory is away', async () => {
    await udm.stop();
    await expect(accounts.make(OWNER)).rejects.toMatchObject({ code: 'directory-unavailable' });
  });
});
