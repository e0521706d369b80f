import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SIGN_IN_FILES, SssdSignIn } from '../../../../platform/linux/sign-in.ts';
import { DIRECTORY } from '../../laptop/sign-in/directory.ts';
import { FakeLinux } from './fake-linux.ts';

const AUTH = '/etc/pam.d/common-auth';
const SESSION = '/etc/pam.d/common-session';
const KRB5 = '[libdefaults]\n\tdefault_realm = ATHENA.MIT.EDU\n';
const CERTIFICATE = { certificate: '/etc/step/certs/acme.crt', key: '/etc/step/certs/acme.key' };

let machine: FakeLinux;
let signIn: SssdSignIn;
/** SSSD's processes: while the service is active, one backend. */
let pid: number;
beforeEach(async () => {
  machine = await FakeLinux.make();
  signIn = new SssdSignIn(machine);
  pid = 4711;
  const libraries = ['security/pam_sss.so', 'libnss_sss.so.2', 'sssd/libsss_ldap.so', 'sssd/libsss_krb5.so'];
  for (const name of [...libraries, 'sasl2/libgssapiv2.so'])
    await machine.write(`/usr/lib/x86_64-linux-gnu/${name}`, '');
  await machine.install('/usr/sbin/sssd');
  await machine.install('/usr/sbin/pam-auth-update', updatePam);
  await machine.install('/usr/bin/systemctl', control);
  await machine.write('/etc/nsswitch.conf', 'passwd: files systemd sss\ngroup: files systemd sss\n');
  await machine.write(AUTH, 'auth required pam_unix.so\n');
  await machine.write(SESSION, 'session required pam_unix.so\n');
  await machine.write('/etc/krb5.conf', KRB5);
  await machine.write('/etc/sssd/conf.d/README', 'as the package brings it\n');
  machine.time = 1_700_000_100_000;
  await machine.write('/proc/uptime', '100.00 190.00\n');
  // The folders, as the packages bring them.
  for (const folder of ['db', 'pubconf/krb5.include.d', 'pipes/private'])
    await machine.write(`/var/lib/sss/${folder}/keep/x`, '');
});
afterEach(() => machine.destroy());

async function updatePam(args: readonly string[]): Promise<undefined> {
  const on = args.includes('--enable');
  for (const [profile, file, line] of [
    ['sss', AUTH, 'auth sufficient pam_sss.so forward_pass\n'],
    ['mkhomedir', SESSION, 'session optional pam_mkhomedir.so\n'],
  ] as const) {
    if (!args.includes(profile)) continue;
    const text = (await machine.read(file)) ?? '';
    await machine.write(file, on ? text + line : text.replace(line, ''));
  }
  return undefined;
}

async function control([verb = '']: readonly string[]): Promise<{ code: number } | undefined> {
  if (verb === 'restart') await begin(++pid, 5000);
  if (verb === 'stop') await machine.remove(`/proc/${pid}/comm`, 'folder');
  if (verb === 'is-active') return { code: (await machine.read(`/proc/${pid}/comm`)) === undefined ? 3 : 0 };
  if (verb === 'is-enabled') return { code: 1 };
  return undefined;
}

/** A backend that began so many ticks after the boot. */
async function begin(process: number, ticks: number): Promise<void> {
  await machine.write(`/proc/${process}/comm`, 'sssd_be\n');
  await machine.write(`/proc/${process}/cmdline`, '/usr/libexec/sssd/sssd_be\0--domain\0kiwistack-acme\0--uid\x000\0');
  const fields = ['S', ...Array.from({ length: 18 }, () => '0'), String(ticks)];
  await machine.write(`/proc/${process}/stat`, `${process} (sssd_be (x)) ${fields.join(' ')} 0 0\n`);
}

const everything = async (): Promise<string[]> => [
  ...(await machine.files('/etc')),
  ...(await machine.files('/var')),
  ...(await Promise.all(['/etc/krb5.conf', AUTH, SESSION].map((file) => machine.read(file)))).map(String),
];

describe('sign-in by SSSD', () => {
  it('is set up with secrets for root alone, and taken back without a trace', async () => {
    const before = await everything();
    expect(await signIn.status()).toBeUndefined();
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY, certificate: CERTIFICATE });
    const files = await machine.files('/etc/sssd');
    expect(files).toEqual(expect.arrayContaining(['/etc/sssd/sssd.conf 0600', '/etc/sssd/kiwistack.keytab 0600']));
    expect(await machine.read('/etc/krb5.conf')).toContain('includedir /etc/krb5.conf.d\n');
    expect((await signIn.found()).map(({ what }) => what)).toEqual([...SIGN_IN_FILES]);
    expect(await signIn.status()).toEqual({
      ...{ revision: DIRECTORY.revision, lacks: [], running: true, certificate: CERTIFICATE.certificate },
      backendSince: 1_700_000_050_000,
    });
    expect(machine.ran.join('\n')).not.toContain(DIRECTORY.kerberos.keytab);
    for (const name of [
      'db/cache_kiwistack-acme.ldb',
      'pubconf/krb5.include.d/krb5_libdefaults',
      'pipes/private/pam',
    ]) {
      await machine.write(`/var/lib/sss/${name}`, 'what SSSD keeps');
    }
    await signIn.remove();
    expect(await everything()).toEqual(before);
    expect(await signIn.found()).toEqual([]);
    await signIn.remove();
    expect(await everything()).toEqual(before);
  });

  it('may be set up again, and still knows what was off before', async () => {
    const before = await everything();
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await signIn.setUp({ slug: 'acme', directory: { ...DIRECTORY, offlineDays: 3 }, certificate: CERTIFICATE });
    expect(machine.ran.filter((line) => line.startsWith('pam-auth-update'))).toHaveLength(1);
    await signIn.remove();
    expect(await everything()).toEqual(before);
  });

  it('leaves on what was on before', async () => {
    await updatePam(['--enable', 'sss']);
    const auth = await machine.read(AUTH);
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await signIn.remove();
    expect(await machine.read(AUTH)).toBe(auth);
  });

  it.each([
    ['/etc/sssd/sssd.conf', '[sssd]\ndomains = university\n'],
    ['/etc/sssd/conf.d/university.conf', '[domain/university]\n'],
  ])('leaves the settings of others alone, and names them: %s', async (file, text) => {
    await machine.write(file, text);
    const before = await everything();
    await expect(signIn.setUp({ slug: 'acme', directory: DIRECTORY })).rejects.toMatchObject({
      ...{ code: 'sign-in-taken', detail: file },
    });
    await signIn.remove();
    expect(await everything()).toEqual(before);
  });

  it('names what is missing for it', async () => {
    await machine.remove('/usr/lib/x86_64-linux-gnu/sssd/libsss_krb5.so');
    await expect(signIn.check()).rejects.toMatchObject({
      code: 'tool-missing',
      detail: expect.stringContaining('sssd-krb5') as string,
    });
    await machine.write('/usr/lib/x86_64-linux-gnu/sssd/libsss_krb5.so', '');
    await machine.write('/etc/nsswitch.conf', 'passwd: files\ngroup: files sss\n');
    await expect(signIn.check()).rejects.toMatchObject({ code: 'tool-missing' });
  });

  it('fails where PAM was edited by hand, and where SSSD does not come up', async () => {
    await machine.install('/usr/sbin/pam-auth-update');
    await expect(signIn.setUp({ slug: 'acme', directory: DIRECTORY })).rejects.toMatchObject({
      code: 'sign-in-failed',
    });
    await machine.install('/usr/sbin/pam-auth-update', updatePam);
    await machine.install('/usr/bin/systemctl', ([verb]) => (verb === 'is-enabled' ? { code: 1 } : undefined));
    await expect(signIn.setUp({ slug: 'acme', directory: DIRECTORY })).rejects.toMatchObject({
      ...{ code: 'sign-in-failed', detail: 'SSSD does not come up with these settings' },
    });
  });

  it('says what somebody has taken away', async () => {
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await machine.remove('/etc/sssd/kiwistack.keytab');
    await updatePam(['--disable', 'mkhomedir']);
    expect((await signIn.status())?.lacks).toEqual(['/etc/sssd/kiwistack.keytab', 'the PAM profile mkhomedir']);
  });

  it('lets only the backend begin anew, so that who is signing in is not cut off', async () => {
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await machine.install('/usr/bin/kill', async (args) => {
      expect(args).toEqual(['-TERM', String(pid)]);
      await machine.remove(`/proc/${pid}/comm`, 'folder');
      await begin(++pid, 9000);
      return undefined;
    });
    machine.ran.length = 0;
    await signIn.restart();
    expect(machine.ran).toEqual([`kill -TERM ${pid - 1}`]);
    expect((await signIn.status())?.backendSince).toBe(1_700_000_090_000);
  });

  it('waits until no password is being checked, and not for ever', async () => {
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await machine.write('/proc/5000/comm', 'krb5_child\n');
    let checks = 0;
    const sleep = machine.clock.sleep.bind(machine.clock);
    machine.clock.sleep = async (ms, signal) => {
      if (++checks === 3) await machine.remove('/proc/5000/comm', 'folder');
      await sleep(ms, signal);
    };
    await machine.install('/usr/bin/kill', async () => {
      expect(await machine.read('/proc/5000/comm')).toBeUndefined();
      await machine.remove(`/proc/${pid}/comm`, 'folder');
      await begin(++pid, 9000);
      return undefined;
    });
    machine.ran.length = 0;
    await signIn.restart();
    expect(checks).toBeGreaterThanOrEqual(3);
    expect(machine.ran).toEqual([`kill -TERM ${pid - 1}`]);
  });

  it('restarts all of SSSD where the backend does not come back', async () => {
    await signIn.setUp({ slug: 'acme', directory: DIRECTORY });
    await machine.install('/usr/bin/kill');
    await signIn.restart();
    expect(machine.ran.at(-1)).toBe('systemctl try-restart sssd.service');
  });
});
