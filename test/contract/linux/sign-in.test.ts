import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SIGN_IN_FILES } from '../../../platform/linux/sign-in.ts';
import type { SignInSettings, SignInStatus } from '../../../src/laptop/system/sign-in.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import type { Laptop } from '../../lab/lab.ts';
import { ADA, ALAN, Domain, GRACE, USUAL_PORTS, type DomainMaking } from '../../world/domain.ts';
import { DC, DEVICES, HOSTS, REALM, type Person } from '../../world/domain-files.ts';
import { installSignIn } from '../../world/install-sign-in.ts';
import { signInAs } from '../../world/sign-in-as.ts';
import { drive, makeLab, must, type Driven } from './drive.ts';
import type { SignInCall } from './drivers/sign-in.ts';

const CERTIFICATE = { certificate: '/etc/step/certs/acme.crt', key: '/etc/step/certs/acme.key' };
const DEVICE = randomUUID();
const PRINCIPAL = `host/${DEVICE}.${HOSTS}@${REALM}`;
const OFFLINE_DAYS = 14;
/** Homes are people's, logs are for who looks for a failure, debconf keeps a copy of what it has asked. The certificates are this test's. */
const EXPLAINED = /^\/(?:home\/|var\/log\/|var\/cache\/debconf\/|etc\/step\/certs\/)/u;

let laptop: Laptop;
let domain: Domain;
let place: DomainMaking;
let delivered: string[];
let settings: SignInSettings;
let deviceRoot: Awaited<ReturnType<typeof makeRoot>>;
let destroy: () => Promise<void>;

beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  laptop = await made.lab.addLaptop({ name: 'anna' });
  const room = await made.lab.addRoom({ name: 'dc' });
  const { address } = room;
  deviceRoot = await makeRoot();
  place = { address, ports: USUAL_PORTS, name: DC, room, deviceRoots: deviceRoot.certificate.pem };
  domain = await Domain.make(place);
  await domain.start();
  for (const name of ['anna', 'anna-renewed']) {
    const mark = name === 'anna' ? `description: KiwiStack device ${DEVICE}\n` : '';
    await domain.ldap('ldapadd', `dn: cn=${name},${DEVICES}\nobjectClass: device\ncn: ${name}\n${mark}`);
  }
  await domain.kadmin('add', '--random-key', '--use-defaults', PRINCIPAL);
  const keytab = `${domain.dir}/work/device.keytab`;
  await domain.kadmin('ext_keytab', `--keytab=FILE:${keytab}`, PRINCIPAL);
  await installSignIn(laptop);
  await must(laptop, ['/bin/sh', '-c', `echo '${address} ${DC}' >>/etc/hosts`]);
  await certify('anna');
  const { uris, base, schema, kdcs } = domain.config.signIn ?? expect.unreachable();
  settings = {
    ...{ slug: 'acme', certificate: CERTIFICATE },
    directory: {
      ...{ revision: Buffer.alloc(32, 1).toString('base64url'), offlineDays: OFFLINE_DAYS },
      ldap: { uris, base, schema, roots: domain.ca, binding: 'external' },
      kerberos: {
        ...{ realm: REALM, kdcs, domains: ['corp.example'], principal: PRINCIPAL },
        keytab: readFileSync(keytab).toString('base64url'),
      },
    },
  };
  delivered = await laptop.changes();
});
afterAll(async () => {
  await destroy();
  await domain.remove();
});

async function makeRoot() {
  const key = generateP256();
  const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 30 * DAY) };
  return {
    key,
    certificate: await issueCertificate({
      ...{ subject: { cn: 'Device CA' }, key, ca: { pathLength: 0 } },
      ...validity,
    }),
  };
}

/** The laptop has a device certificate with this name. */
async function certify(cn: string): Promise<void> {
  const key = generateP256();
  const certificate = await issueCertificate({
    ...{ subject: { cn, ou: 'engineer', o: 'Acme GmbH' }, key, issuer: deviceRoot },
    ...{ notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + DAY) },
    extendedKeyUsages: ['1.3.6.1.5.5.7.3.2'],
  });
  mkdirSync(laptop.path('/etc/step/certs'), { recursive: true });
  writeFileSync(laptop.path(CERTIFICATE.certificate), certificate.pem);
  writeFileSync(laptop.path(CERTIFICATE.key), key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
}

const call = (said: SignInCall): Promise<Driven> => drive(laptop, 'sign-in', said);
const status = async (): Promise<SignInStatus> => (await call({ verb: 'status' })).ok as SignInStatus;

const login = (person: Person, password = person.password) => signInAs(laptop, { ...person, password });
const letsIn = async (person: Person, password?: string): Promise<boolean> => (await login(person, password)).letIn;

const isKnown = async ({ uid }: Person): Promise<boolean> =>
  (await laptop.run(['/usr/bin/getent', 'passwd', uid])).code === 0;

/** SSSD alone lives so many days later; 0: now. */
async function liveLater(days: number): Promise<void> {
  const folder = '/etc/systemd/system/sssd.service.d';
  const [library = ''] = (await must(laptop, ['/usr/bin/find', '/usr/lib', '-name', 'libfaketime.so.1'])).split('\n');
  const text = `[Service]\nEnvironment=LD_PRELOAD=${library} FAKETIME=+${days}d DONT_FAKE_MONOTONIC=1\n`;
  if (days === 0) await must(laptop, ['/bin/rm', '-r', folder]);
  else await must(laptop, ['/bin/sh', '-ec', `mkdir -p "$0"; cat >"$0/later.conf"`, folder], text);
  await must(laptop, ['/usr/bin/systemctl', 'daemon-reload']);
  await must(laptop, ['/usr/bin/systemctl', 'restart', 'sssd.service']);
}

/** The directory is there again, and SSSD is told so, as the network's coming up does on a laptop with systemd. */
async function comeBack(): Promise<void> {
  await domain.start();
  await must(laptop, ['/usr/bin/pkill', '-USR2', '-x', 'sssd']);
}

describe('signing in with the account of the directory, by SSSD', () => {
  it('is set up, so that its people are people here', async () => {
    expect(await call({ verb: 'check' })).toMatchObject({ ok: null });
    expect(await call({ verb: 'setUp', settings })).toMatchObject({ ok: null });
    expect(await must(laptop, ['/usr/bin/getent', 'passwd', ADA.uid])).toBe(
      `${ADA.uid}:*:${ADA.number}:20000:${ADA.uid}:/home/${ADA.uid}:/bin/bash\n`,
    );
    expect(await must(laptop, ['/usr/bin/id', '-Gn', ADA.uid])).toBe('people\n');
    expect(domain.binds.at(-1)).toBe(`EXTERNAL cn=anna,${DEVICES}`);
    expect(await status()).toMatchObject({ lacks: [], running: true, certificate: CERTIFICATE.certificate });
  });

  it('lets people in with their password, to a home of their own, with a ticket', async () => {
    const { letIn, said } = await login(ADA);
    expect(letIn, said).toBe(true);
    expect(said).toContain(`${ADA.uid}\n/home/${ADA.uid}\n`);
    expect(said).toContain(`Default principal: ${ADA.uid}@${REALM}`);
    expect(said).toContain(`krbtgt/${REALM}@${REALM}`);
    expect(await must(laptop, ['/usr/bin/stat', '-c', '%U %G', `/home/${ADA.uid}`])).toBe(`${ADA.uid} people\n`);
    const pam = ['/usr/bin/pamtester', 'login', ADA.uid, 'authenticate', 'acct_mgmt'];
    expect(await laptop.run(pam, { input: `${ADA.password}\n` })).toMatchObject({ code: 0 });
  });

  it('refuses a wrong password, and who is nobody', async () => {
    expect(await letsIn(ADA, 'Enigma-1844')).toBe(false);
    expect(await letsIn(ADA, '')).toBe(false);
    expect(await letsIn({ ...ADA, uid: 'mallory' })).toBe(false);
  });

  it('believes no KDC that does not know the key of this laptop', async () => {
    const impostor = await Domain.make(place);
    await impostor.kadmin('cpw', '--password=Impostor-1', `${ADA.uid}@${REALM}`);
    await impostor.kadmin('add', '--random-key', '--use-defaults', PRINCIPAL);
    await domain.stop('kdc');
    await impostor.start('kdc');
    expect(await letsIn(ADA, 'Impostor-1')).toBe(false);
    await impostor.remove();
    await domain.start('kdc');
    expect(await letsIn(ADA)).toBe(true);
  });

  it('goes on without the directory, for people who have signed in before', async () => {
    await domain.stop();
    expect(await letsIn(ADA)).toBe(true);
    expect(await letsIn(ADA, 'Enigma-1844')).toBe(false);
    expect(await letsIn(GRACE)).toBe(false);
    await must(laptop, ['/bin/rm', '-f', `/tmp/krb5cc_${ADA.number}`]);
    await comeBack();
    await expect.poll(async () => (await login(ADA)).said).toContain(`krbtgt/${REALM}`);
    await expect.poll(() => letsIn(GRACE)).toBe(true);
  });

  it('takes a renewed certificate while people stay known, and who begins to sign in is let in', async () => {
    const before = await status();
    const [main] = await processes('sssd');
    await certify('anna-renewed');
    let over = false;
    const looks: Promise<boolean[]> = (async () => {
      const known: boolean[] = [];
      while (!over) known.push(await isKnown(ADA));
      return known;
    })();
    const underWay = letsIn(ADA);
    expect(await call({ verb: 'restart' })).toMatchObject({ ok: null });
    over = true;
    expect(await looks).not.toContain(false);
    expect(await underWay).toBe(true);
    expect(await processes('sssd')).toEqual([main]);
    expect((await status()).backendSince).toBeGreaterThan(before.backendSince ?? Infinity);
    await expect.poll(() => letsIn(ADA)).toBe(true);
    await expect.poll(() => domain.binds.at(-1)).toBe(`EXTERNAL cn=anna-renewed,${DEVICES}`);
  });

  it('binds with the keytab where the certificate cannot be used', async () => {
    const { certificate: _, ...others } = settings;
    const { directory } = settings;
    const revision = Buffer.alloc(32, 2).toString('base64url');
    const gssapi: SignInSettings = {
      ...others,
      directory: { ...directory, revision, ldap: { ...directory.ldap, binding: 'gssapi' } },
    };
    expect(await call({ verb: 'setUp', settings: gssapi })).toMatchObject({ ok: null });
    expect(await isKnown(ALAN)).toBe(true);
    expect(domain.binds.at(-1)).toBe(`GSSAPI cn=anna,${DEVICES}`);
    expect(await letsIn(ALAN)).toBe(true);
    expect(await status()).toMatchObject({ revision, lacks: [], running: true });
    await certify('anna');
    expect(await call({ verb: 'setUp', settings })).toMatchObject({ ok: null });
    expect(await letsIn(ADA)).toBe(true);
  });

  it('ends with the cache, however long the laptop stays away', async () => {
    await domain.stop();
    await liveLater(OFFLINE_DAYS - 1);
    expect(await letsIn(ADA)).toBe(true);
    await liveLater(OFFLINE_DAYS + 1);
    expect(await letsIn(ADA)).toBe(false);
    await liveLater(0);
    await comeBack();
    await expect.poll(() => letsIn(ADA)).toBe(true);
  });

  it('lets nobody in once the laptop is lost and reaches the directory; without it, until the end of the cache', async () => {
    const lock = `dn: cn=anna,${DEVICES}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n`;
    expect(await domain.ldap('ldapmodify', lock)).toMatchObject({ code: 0 });
    await domain.kadmin('delete', PRINCIPAL);
    expect(await letsIn(ADA)).toBe(false);
    expect(await letsIn(GRACE)).toBe(false);
    await domain.stop();
    await liveLater(OFFLINE_DAYS + 1);
    expect(await letsIn(ADA)).toBe(false);
    await liveLater(0);
  });

  it('is taken back without a trace, but for the homes of people', async () => {
    expect(await call({ verb: 'remove' })).toMatchObject({ ok: null });
    expect(await isKnown(ADA)).toBe(false);
    expect(await letsIn(ADA)).toBe(false);
    expect(await processes('sssd')).toEqual([]);
    expect((await call({ verb: 'found' })).ok).toEqual([]);
    const left = (await laptop.changes()).filter((line) => !delivered.includes(line));
    expect(left.filter((line) => !EXPLAINED.test(line))).toEqual([]);
    expect(left.filter((line) => SIGN_IN_FILES.some((file) => line.startsWith(file)))).toEqual([]);
    expect(await call({ verb: 'remove' })).toMatchObject({ ok: null });
  });
});

async function processes(name: string): Promise<string[]> {
  const { stdout } = await laptop.run(['/usr/bin/pgrep', '-x', name]);
  return stdout.split('\n').filter((line) => line !== '');
}
