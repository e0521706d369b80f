import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, vi } from 'vitest';

import { parseCertificate, parsePemBundle } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { deriveWireguardKey } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { FLEET_URL, INTRANET_URL } from '../../world/world.ts';
import { runEnroll } from './cli-run.ts';
import { traces, type Customer, type Seat } from './customer.ts';
import { visitFalseWebsite, type Visit } from './false-website.ts';
import { story } from './step.ts';

const STEPS = [
  'preflight',
  'key',
  'device-key',
  'slice',
  'statement',
  'grant',
  'certificate',
  'tunnel',
  'agent',
  'confirm',
  'green',
] as const;
const STEP_CA = 'https://10.77.0.1:9443/health';
const CRL = 'http://10.77.0.1:9080/crl';
const TUNNEL = 'kiwi-acme';

/** The life of a laptop: nothing inside, enrolled, green, restarted, uninstalled, enrolled again. */
export function lifeOfALaptop(getCustomer: () => Customer): void {
  story('the life of a laptop', getCustomer, (step, seat) => {
    let customer: Customer;
    let ada: Seat;
    let routesBefore: string;

    const sh = async (script: string): Promise<{ code: number; out: string }> => {
      const { code, stdout, stderr } = await ada.laptop.run(['/bin/sh', '-c', script]);
      return { code, out: (stdout + stderr).trim() };
    };
    const get = async (url: string, ...args: string[]): Promise<number> =>
      (await ada.laptop.run(['/usr/bin/curl', '-sS', '--max-time', '3', ...args, url])).code;

    step('before: nothing inside answers', async () => {
      customer = getCustomer();
      ada = await seat('ada', { resolved: true, slim: false });
      for (const url of [INTRANET_URL, STEP_CA, FLEET_URL]) expect(await get(url, '-k'), url).not.toBe(0);
      routesBefore = (await sh('ip route show')).out;
      const status = await customer.world.cli(ada.laptop, ['status', '--json']);
      expect(status).toMatchObject({ code: 3, result: { result: 'not-enrolled' } });
    });

    step('enroll --json tells every step and ends green', async () => {
      const run = await runEnroll(ada.laptop);
      expect(run.code, run.output).toBe(0);
      const told = run.events.map(({ type, step }) => [type, step].filter(Boolean).join(' '));
      const extra: Partial<Record<string, string[]>> = {
        key: ['key-found'],
        slice: ['slice-proven'],
        statement: ['pin-expected', 'touch-expected', 'touched'],
      };
      const expected = STEPS.flatMap((name) => [`step-started ${name}`, ...(extra[name] ?? []), `step-done ${name}`]);
      expect(told.filter((line) => !line.endsWith(' trust'))).toEqual([...expected, 'result']);
      // The system's trust store is brought up to date beside the tunnel and the agent.
      const beside = ['step-done certificate', 'step-started trust', 'step-done trust', 'step-started confirm'];
      expect(told.filter((line) => beside.includes(line))).toEqual(beside);
      expect(run.result).toMatchObject({ type: 'result', result: 'green', customer: 'Acme GmbH', hostName: 'ada' });
      const [device] = await customer.liveDevicesOf(ada.serial);
      expect(device).toMatchObject({ state: 'active', id: run.result['deviceId'], hostName: 'ada', role: 'engineer' });
    });

    step('key and certificate lie where smallstep looks, and only root reads the key', async () => {
      const modes = async (file: string): Promise<string> => {
        const { mode, uid, gid } = await stat(ada.laptop.path(file));
        return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
      };
      expect(await modes('/etc/step')).toBe('700 0:0');
      expect(await modes('/etc/step/certs')).toBe('700 0:0');
      expect(await modes('/etc/step/certs/acme.key')).toBe('600 0:0');
      expect(await modes('/etc/step/certs/acme.crt')).toBe('644 0:0');
      expect(await modes('/etc/step/certs/root_ca.crt')).toBe('644 0:0');
      expect(await modes(`/etc/wireguard/${TUNNEL}.conf`)).toBe('600 0:0');
      expect(await modes('/etc/fleet/enroll.env')).toBe('600 0:0');
      expect(await modes('/var/lib/kiwistack')).toBe('700 0:0');
      expect(await modes('/var/lib/kiwistack/enrollment.json')).toBe('600 0:0');
    });

    step('openssl verifies the chain, with the CRL that the certificate names', async () => {
      const { out } = await sh(`set -e
        cd /tmp; certs=/etc/step/certs
        curl -sS --max-time 3 -o crl.der ${CRL}; openssl crl -inform DER -in crl.der -out crl.pem
        openssl verify -CAfile $certs/root_ca.crt -untrusted $certs/acme.crt -crl_check -CRLfile crl.pem $certs/acme.crt
        openssl x509 -in $certs/acme.crt -noout -ext crlDistributionPoints
        openssl crl -in crl.pem -noout -text | grep -A2 'Issuing Distribution Point'`);
      expect(out).toContain('/etc/step/certs/acme.crt: OK');
      const points = [...out.matchAll(/URI:(\S+)/gu)].map(([, uri]) => uri);
      expect(points).toEqual([CRL, CRL]);
    });

    step('the provider’s root is trusted by the whole system', async () => {
      const bundle = await readFile(ada.laptop.path('/etc/ssl/certs/ca-certificates.crt'), 'utf8');
      const root = await readFile(path.join(customer.world.sliceDir, 'msp', 'root.crt'), 'utf8');
      expect(bundle).toContain(root.trim());
    });

    step('what is inside answers now, and only that goes through the tunnel', async () => {
      expect(await get(INTRANET_URL)).toBe(0); // without -k: the root is trusted
      expect(await get(STEP_CA)).toBe(0);
      expect(await get(FLEET_URL, '--cacert', '/etc/fleet/fleet.pem')).toBe(0);
      const routes = (await sh('ip route show; ip route show table all | grep -v "table local"')).out;
      const throughTunnel = new Set(routes.split('\n').filter((line) => line.includes(TUNNEL)));
      expect(
        [...throughTunnel].every((line) => /^(10\.77\.|fe80::)/u.test(line)),
        routes,
      ).toBe(true);
      expect(throughTunnel.size).toBeGreaterThan(0);
      const defaults = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('default'));
      expect(defaults((await sh('ip route show')).out)).toEqual(defaults(routesBefore));
      expect((await sh('ip route get 203.0.113.10')).out).toContain('dev eth0');
    });

    step('the key of the customer’s CA speaks for the customer’s names, and for no other website', async () => {
      const visit = (host: string, names: object): Promise<Visit> =>
        visitFalseWebsite(customer, ada, host, { subject: { cn: 'A website' }, ...names });
      const own = await visit('www.corp.example', { sanDns: ['www.corp.example'] });
      expect(own, own.openssl).toMatchObject({ curl: 0, openssl: expect.stringContaining('leaf.pem: OK') as string });
      const inside = await visit('10.77.1.99', { sanIps: ['10.77.1.99'] });
      expect(inside, inside.openssl).toMatchObject({ curl: 0 });
      for (const [host, names] of [
        ['www.bank.example', { sanDns: ['www.bank.example'] }],
        ['www.bank.example', { sanDns: ['*.bank.example', 'www.corp.example'] }],
        ['www.bank.example', { subject: { cn: 'www.bank.example' } }],
        ['203.0.113.99', { sanIps: ['203.0.113.99'] }],
        ['[2001:db8::1]', { sanIps: ['2001:db8::1'] }],
      ] as const) {
        const { curl, openssl } = await visit(host, names);
        expect(curl, openssl).toBe(60); // CURLE_PEER_FAILED_VERIFICATION
        expect(openssl).toMatch(/permitted subtree violation|excluded subtree violation/u);
      }
    });

    step('both ends of the tunnel know each other by the derived key', async () => {
      const [device] = await customer.liveDevicesOf(ada.serial);
      const publicKey = (await sh(`wg show ${TUNNEL} private-key | wg pubkey`)).out;
      const pem = await readFile(ada.laptop.path('/etc/step/certs/acme.key'), 'utf8');
      const deviceKey = fileDeviceKey(createPrivateKey(pem), 'device.key');
      const derived = await deriveWireguardKey({ deviceKey, slug: 'acme', generation: 0 });
      expect(publicKey).toBe(derived.publicKey);
      expect(device?.wireguardPublicKey).toBe(publicKey);
      expect(await customer.peers()).toContain(publicKey);
      const there = await sh(`wg show ${TUNNEL} latest-handshakes`);
      expect(there.out).toMatch(/\t[1-9]\d+$/u);
      const allowed = await sh(`wg show ${TUNNEL} allowed-ips`);
      expect(allowed.out).not.toContain('0.0.0.0/0');
      const { interface: name } = customer.operator.config.wireguard;
      const here = await customer.world.slice.run(['/usr/bin/wg', 'show', name, 'allowed-ips']);
      expect(here.stdout).toContain(`${publicKey}\t${device?.address ?? '?'}/32`);
    });

    step('the customer’s names are resolved through the tunnel, all others as before', async () => {
      const dns = (
        await sh(`resolvectl dns ${TUNNEL}; resolvectl domain ${TUNNEL}; resolvectl default-route ${TUNNEL}`)
      ).out;
      expect(dns).toMatch(/: 10\.77\.1\.30\n.*: ~corp\.example\n.*: no$/u);
      expect(await get('https://intranet.corp.example/')).toBe(0);
      expect((await sh('getent hosts www.other.example')).code, 'it would have an answer for that too').toBe(2);
    });

    step('Fleet knows this very machine, online', async () => {
      const hosts = await customer.fleetHosts(ada.laptop);
      expect(hosts).toHaveLength(1);
      expect(hosts[0]).toMatchObject({ status: 'online', hardware_serial: ada.laptop.dmi.product_serial });
      expect(String(hosts[0]?.['uuid']).toLowerCase()).toBe(ada.laptop.dmi.product_uuid.toLowerCase());
    });

    step('the enroll secret is no longer on the disk', async () => {
      const secret = (await readFile(path.join(customer.world.fleetDir, 'enroll-secret'), 'utf8')).trim();
      expect((await sh(`grep -rl -e '${secret}' /etc /opt/orbit /var/lib/kiwistack`)).out).toBe('');
      expect((await sh('cat /etc/fleet/enroll.env')).out).toContain('ORBIT_ENROLL_SECRET=removed-after-enrollment');
    });

    step('status reports it, to a person and to a program', async () => {
      const person = await customer.world.cli(ada.laptop, ['status']);
      expect(person).toMatchObject({ code: 0, stdout: expect.stringContaining('Everything works.') as string });
      const program = await customer.world.cli(ada.laptop, ['status', '--json']);
      expect(program).toMatchObject({
        code: 0,
        result: { result: 'healthy', slice: { state: 'active', fleet: { green: true } }, tunnel: { up: true } },
      });
    });

    step('a second enroll has nothing to do', async () => {
      const run = await runEnroll(ada.laptop);
      expect(run.code).toBe(0);
      expect(run.result).toMatchObject({ type: 'result', result: 'already-enrolled' });
      expect(await customer.devicesOf(ada.serial)).toHaveLength(1);
    });

    step('everything starts again after a power cut', async () => {
      await ada.laptop.powerOff();
      await ada.laptop.boot();
      await vi.waitFor(
        async () =>
          expect(await customer.world.cli(ada.laptop, ['status', '--json'])).toMatchObject({
            code: 0,
            result: { result: 'healthy' },
          }),
        { timeout: 60_000, interval: 500 },
      );
      expect(await get(INTRANET_URL)).toBe(0);
    });

    step('past the 24 hours of its certificate, status says so and enroll renews it', async () => {
      const [before] = await customer.liveDevicesOf(ada.serial);
      const { ca } = slicePaths(customer.world.sliceDir);
      const file = ada.laptop.path('/etc/step/certs/acme.crt');
      const [, ...issuers] = parsePemBundle(await readFile(file, 'utf8'));
      const expired = await issueCertificate({
        subject: { cn: 'ada' },
        key: createPrivateKey(await readFile(ada.laptop.path('/etc/step/certs/acme.key'))),
        issuer: {
          certificate: parseCertificate(await readFile(ca.certificate, 'utf8')),
          key: createPrivateKey(await readFile(ca.key)),
        },
        notBefore: new Date(Date.now() - 2 * DAY),
        notAfter: new Date(Date.now() - DAY),
      });
      await writeFile(file, [expired, ...issuers].map(({ pem }) => pem).join(''));
      expect(await customer.world.cli(ada.laptop, ['status'])).toMatchObject({
        code: 3,
        stdout: expect.stringMatching(/EXPIRED at [^]*run `kiwistack-enroll enroll` with your YubiKey/u) as string,
      });
      ada.reader = await customer.world.plugIn(ada.laptop, ada.serial);
      const run = await runEnroll(ada.laptop);
      expect(run.code, run.output).toBe(0);
      expect(run.events[0]).toMatchObject({ type: 'certificate-renewed' });
      const [after, ...more] = await customer.liveDevicesOf(ada.serial);
      expect([after?.state, more]).toEqual(['active', []]);
      expect(after?.id).toBe(before?.id);
      expect(await customer.world.cli(ada.laptop, ['status'])).toMatchObject({ code: 0 });
      expect(await get(INTRANET_URL)).toBe(0);
      await ada.reader.stop();
    });

    step('uninstall leaves nothing, here and at the slice', async () => {
      const [device] = await customer.liveDevicesOf(ada.serial);
      const certificate = (await sh('openssl x509 -in /etc/step/certs/acme.crt -noout -serial')).out.replace(
        'serial=',
        '',
      );
      const result = await customer.world.cli(ada.laptop, ['uninstall', '--json']);
      expect(result).toMatchObject({ code: 0, result: { result: 'uninstalled', sliceTold: true } });
      expect(await traces(ada)).toEqual([]);
      const java = await readFile(ada.laptop.path('/etc/ssl/certs/java/cacerts')).catch(() => Buffer.alloc(0));
      const root = new X509Certificate(await readFile(path.join(customer.world.sliceDir, 'msp', 'root.crt')));
      expect(java.includes(root.raw)).toBe(false);
      expect((await sh('ip link show')).out).not.toContain(TUNNEL);
      expect((await sh('ip route show')).out).toBe(routesBefore);
      expect(await get(INTRANET_URL, '-k')).not.toBe(0);
      expect((await customer.devicesOf(ada.serial)).at(-1)).toMatchObject({
        id: device?.id,
        state: 'ended',
        endReason: 'uninstalled',
      });
      expect(await customer.leftPeersOf(ada.serial)).toEqual([]);
      const crl = await customer.world.slice.run([
        '/bin/sh',
        '-c',
        `curl -sS ${CRL} | openssl crl -inform DER -noout -text`,
      ]);
      expect(crl.stdout).toContain(`Serial Number: ${certificate}`);
    });

    step('status then reports that it is not enrolled, with exit code 3', async () => {
      const person = await customer.world.cli(ada.laptop, ['status']);
      expect(person.code).toBe(3);
      expect(person.stderr).toContain('[not-enrolled]');
      const again = await customer.world.cli(ada.laptop, ['uninstall', '--json']);
      expect(again, 'nothing to do is no failure').toMatchObject({ code: 0, result: { result: 'not-enrolled' } });
    });

    step('a laptop that left may come back', async () => {
      ada.reader = await customer.world.plugIn(ada.laptop, ada.serial);
      const run = await runEnroll(ada.laptop);
      expect(run.code, run.output).toBe(0);
      expect(await customer.liveDevicesOf(ada.serial)).toHaveLength(1);
      expect(await customer.fleetHosts(ada.laptop)).toHaveLength(1);
      expect((await customer.world.cli(ada.laptop, ['uninstall', '--json'])).code).toBe(0);
      expect(await traces(ada)).toEqual([]);
    });
  });
}
