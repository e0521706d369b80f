import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { expect } from 'vitest';

import type { Customer } from '../e2e/01-enrollment/customer.ts';
import { makeOlder } from '../e2e/01-enrollment/make-older.ts';
import { INTRANET_URL } from '../world/world.ts';
import { sh } from './install-package.ts';
import type { Machine } from './machine.ts';

export const CERTS = '/etc/step/certs';
export const RECORD = '/var/lib/kiwistack/enrollment.json';
const PROBE = '10.77.0.1';

/** Seconds until a ping comes back through the tunnel. */
export async function untilPing(machine: Machine): Promise<number> {
  const ms = await sh(
    machine,
    `began=$(date +%s%N); for n in $(seq 300); do ping -c 1 -W 1 ${PROBE} >/dev/null && break; sleep 0.2; done
     ping -c 1 -W 5 ${PROBE} >/dev/null; echo $((($(date +%s%N) - began) / 1000000))`,
  );
  return Number(ms) / 1000;
}

/** The certificate verifies under its root, is for the key beside it, and services inside are reached. */
export async function expectWhole(machine: Machine): Promise<void> {
  const verify = `openssl verify -no_check_time -CAfile ${CERTS}/root_ca.crt -untrusted ${CERTS}/acme.crt ${CERTS}/acme.crt`;
  expect(await sh(machine, verify)).toBe(`${CERTS}/acme.crt: OK`);
  // The key may be in the TPM.
  const provider = `$(! grep -q TSS2 ${CERTS}/acme.key || echo -provider tpm2 -provider default)`;
  const asked = `export TPM2OPENSSL_TCTI=device:/dev/tpmrm0; openssl pkey ${provider} -in ${CERTS}/acme.key -pubout`;
  const ofKey = await sh(machine, asked);
  expect(await sh(machine, `openssl x509 -in ${CERTS}/acme.crt -noout -pubkey`)).toBe(ofKey);
  await untilPing(machine);
  expect(await sh(machine, `curl -sS --max-time 30 -o /dev/null -w '%{http_code}' ${INTRANET_URL}`)).toMatch(/^[234]/u);
}

/** Which certificate of its device the laptop has, counted from 1. */
export async function certificateNumber(machine: Machine): Promise<number> {
  const record = JSON.parse(await sh(machine, `cat ${RECORD}`)) as { device: { certificate?: { number: number } } };
  return record.device.certificate?.number ?? 1;
}

/** A program of ours is cut off at an edge of a renewal: by a kill, or with everything else when the power goes. */
export async function cutRenewal(machine: Machine, point: string, action: 'kill' | 'power'): Promise<void> {
  const env = { KIWISTACK_FAULT: `${point}=${action}` };
  const guest = machine.spawn(['/usr/bin/kiwistack-enroll', 'renew'], { env });
  guest.stdin.end();
  let output = '';
  for (const stream of [guest.stdout, guest.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const code = await guest.ended.catch(() => undefined);
  expect(code, output).toBe(action === 'kill' ? 137 : undefined);
  if (action === 'kill') return;
  await machine.ended();
  await machine.boot();
}

/** Another renewal succeeds, and leaves nothing that one which was cut off had begun. */
export async function expectRenewable(machine: Machine): Promise<void> {
  const before = await certificateNumber(machine);
  const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'renew', '--json']);
  expect(code, stdout + stderr).toBe(0);
  expect(await certificateNumber(machine)).toBeGreaterThan(before);
  expect(await sh(machine, `find /etc/step /var/lib/kiwistack -name '*.tmp'`)).toBe('');
}

/** Time passes, for the laptop's certificate and what the registry knows of it. (step-ca's clock cannot be moved.) */
export async function letPass(
  machine: Machine,
  customer: Customer,
  { serial, folder, hours }: { readonly serial: number; readonly folder: string; readonly hours: number },
): Promise<void> {
  const files = [`${CERTS}/acme.crt`, RECORD];
  const here = (file: string): string => path.join(folder, 'copy', file);
  for (const file of files) {
    await mkdir(path.dirname(here(file)), { recursive: true });
    await machine.copyOut(file, here(file));
  }
  await makeOlder(customer, { laptop: { path: here }, serial }, hours);
  for (const file of files) {
    await machine.run(['/bin/sh', '-ec', 'cat >"$1"', 'put', file], { input: await readFile(here(file)) });
  }
}
