import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import { rootFileName } from '../../../platform/linux/root-file-name.ts';
import type { Certificate } from '../../../src/pki/certificate.ts';
import { makeTestRoot } from '../../unit/platform/linux/test-certificates.ts';
import { drive, makeLab, must } from './drive.ts';

let laptop: Laptop;
let root: Certificate;
let delivered: string[];
let destroy: () => Promise<void>;

beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  laptop = await made.lab.addLaptop({ name: 'anna' });
  // What the tool itself has to catch up with on this machine, before we come.
  await must(laptop, ['/usr/sbin/update-ca-certificates']);
  delivered = await changes();
  root = (await makeTestRoot('KiwiStack MSP Root')).certificate;
});
afterAll(() => destroy());

/** Without dpkg's journal and Java's keystore, which the tool's hook for Java writes anew each time. */
const changes = async (): Promise<string[]> =>
  (await laptop.changes()).filter((line) => !/^\/(var\/log\/dpkg|var\/lib\/dpkg|etc\/ssl\/certs\/java)/.test(line));

const javaTrusts = async (name: string): Promise<boolean> =>
  (await laptop.run(['/usr/bin/grep', '-q', name, '/etc/ssl/certs/java/cacerts'])).code === 0;

const verifies = async (): Promise<boolean> => {
  const result = await laptop.run(
    ['/usr/bin/openssl', 'verify', '-CApath', '/etc/ssl/certs', '-CAfile', '/etc/ssl/certs/ca-certificates.crt'],
    { input: root.pem },
  );
  return result.code === 0;
};

describe('the trust store of Debian', () => {
  it('takes the root, so that openssl believes it', async () => {
    expect(await verifies()).toBe(false);
    const installed = await drive(laptop, 'trust', { verb: 'install', pem: root.pem });
    expect(installed).toMatchObject({ ok: null });
    console.info(`trust store install: ${installed.ms} ms`);
    expect(await verifies()).toBe(true);
    const name = rootFileName(root.der);
    const ours = (await changes()).filter((line) => !delivered.includes(line));
    expect(ours.filter((line) => line.includes(name)).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      expect.stringMatching(/^\/etc\/ssl\/certs\/[0-9a-f]{8}\.0 link$/),
      `/etc/ssl/certs/${name}.pem link`,
      `/usr/local/share/ca-certificates/${name}.crt file`,
    ]);
    expect(ours).toHaveLength(4); // and the bundle
  });

  it('has left exactly the links and roots that update-ca-certificates would have left', async () => {
    const bundle = '/etc/ssl/certs/ca-certificates.crt';
    const roots = async (): Promise<string[]> =>
      (await must(laptop, ['/bin/cat', bundle])).split(/(?=-----BEGIN)/).toSorted();
    const others = async (): Promise<string[]> => (await changes()).filter((line) => !line.startsWith(bundle));
    const before = { roots: await roots(), others: await others() };
    expect(await must(laptop, ['/usr/sbin/update-ca-certificates'])).toContain('0 added, 0 removed');
    expect({ roots: await roots(), others: await others() }).toEqual(before);
  });

  it('leaves it to update-ca-certificates where a hook wants to hear of new roots', async () => {
    const hook = '/etc/ca-certificates/update.d/test-hook';
    const script = `mkdir -p /etc/ca-certificates/update.d; printf '#!/bin/sh\\ncat >>/tmp/heard\\n' >${hook}; chmod 755 ${hook}`;
    await must(laptop, ['/bin/sh', '-ec', script]);
    const second = (await makeTestRoot('Another root')).certificate;
    expect(await drive(laptop, 'trust', { verb: 'install', pem: second.pem })).toMatchObject({ ok: null });
    const name = rootFileName(second.der);
    expect(await must(laptop, ['/bin/cat', '/tmp/heard'])).toBe(`+/etc/ssl/certs/${name}.pem\n`);
    // All roots of ours: the first one goes with it.
    expect(await drive(laptop, 'trust', { verb: 'remove', pem: second.pem })).toMatchObject({ ok: null });
    const heard = (await must(laptop, ['/bin/cat', '/tmp/heard'])).trim().split('\n');
    const gone = [root, second].map(({ der }) => `-/etc/ssl/certs/${rootFileName(der)}.pem`);
    expect(heard.slice(1).toSorted()).toEqual(gone.toSorted());
    await must(laptop, ['/bin/rm', hook]);
    expect(await drive(laptop, 'trust', { verb: 'install', pem: root.pem })).toMatchObject({ ok: null });
  });

  it('does nothing the second time', async () => {
    const age = (): Promise<string> =>
      must(laptop, ['/usr/bin/stat', '-c', '%y', '/etc/ssl/certs/ca-certificates.crt']);
    const before = await age();
    expect(await drive(laptop, 'trust', { verb: 'install', pem: root.pem })).toMatchObject({ ok: null });
    expect(await age()).toBe(before);
    expect(await drive(laptop, 'trust', { verb: 'verify', pem: root.pem })).toMatchObject({ ok: true });
  });

  it('forgets the root and leaves nothing', async () => {
    const removed = await drive(laptop, 'trust', { verb: 'remove', pem: root.pem });
    expect(removed).toMatchObject({ ok: null });
    console.info(`trust store remove: ${removed.ms} ms`);
    expect(await verifies()).toBe(false);
    expect(await drive(laptop, 'trust', { verb: 'verify', pem: root.pem })).toMatchObject({ ok: false });
    expect(await changes()).toEqual(delivered);
    expect(await javaTrusts(rootFileName(root.der))).toBe(false);
    expect(await drive(laptop, 'trust', { verb: 'remove', pem: root.pem })).toMatchObject({ ok: null });
    expect(await must(laptop, ['/usr/bin/find', '/etc/ssl/certs', '-xtype', 'l'])).toBe('');
  });
});
