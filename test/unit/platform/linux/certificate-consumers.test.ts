import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { sssd, wifi } from '../../../../platform/linux/certificate-consumers.ts';
import { FakeLinux } from './fake-linux.ts';

const FILE = '/etc/step/certs/acme.crt';

let machine: FakeLinux;
beforeEach(async () => {
  machine = await FakeLinux.make();
});
afterEach(() => machine.destroy());

describe('SSSD', () => {
  it('is told where its configuration has the certificate, by a restart', async () => {
    expect(await sssd(machine).uses(FILE)).toBe(false);
    await machine.write('/etc/sssd/conf.d/corp.conf', `[domain/corp]\nldap_tls_cert = ${FILE}\n`);
    expect(await sssd(machine).uses(FILE)).toBe(true);
    expect(await sssd(machine).uses('/etc/step/certs/other.crt')).toBe(false);
    await machine.install('/usr/bin/systemctl');
    await sssd(machine).renew(FILE);
    expect(machine.ran).toEqual(['systemctl try-restart sssd.service']);
  });

  it('that does not come up again is an error', async () => {
    await machine.install('/usr/bin/systemctl', () => ({ code: 1, stderr: 'Job failed' }));
    await expect(sssd(machine).renew(FILE)).rejects.toMatchObject({ code: 'program-failed' });
  });
});

describe('Wi-Fi', () => {
  const nmcli = (up: number) => (args: readonly string[]) => {
    if (args.includes('--active')) return 'u-1:802-11-wireless\nu-2:802-3-ethernet\nu-3:802-11-wireless\n';
    if (args.includes('802-1x.client-cert')) return args.includes('u-3') ? `file://${FILE}\n` : '\n';
    return { code: up };
  };

  it('is told where an active connection has the certificate, by activating that one again', async () => {
    expect(await wifi(machine).uses(FILE)).toBe(false);
    await machine.install('/usr/bin/nmcli', nmcli(0));
    expect(await wifi(machine).uses(FILE)).toBe(true);
    expect(await wifi(machine).uses('/etc/other.crt')).toBe(false);
    await wifi(machine).renew(FILE);
    expect(machine.ran.filter((line) => line.includes(' up '))).toEqual(['nmcli --wait 45 connection up uuid u-3']);
  });

  it('that is not connected again is an error', async () => {
    await machine.install('/usr/bin/nmcli', nmcli(4));
    await expect(wifi(machine).renew(FILE)).rejects.toMatchObject({ code: 'program-failed' });
  });
});
