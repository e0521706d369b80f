import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import { toKiwiError } from '../../../src/core/errors.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { generateP256Pair } from '../../../src/pki/keys.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { openSlice } from '../../../src/slice/operator/open-slice.ts';
import { runSlice } from '../../../src/slice/run/run-slice.ts';
import { gatewayHand, PATHS, signDeviceMessage } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// A customer leaves its provider's machine: one file, for a recipient, and nothing that could go on here. Real step-ca.

const run = promisify(execFile);
const MAIN = path.resolve(import.meta.dirname, '../../../src/apps/slice/main.ts');
const program = (...args: string[]): Promise<string> =>
  run(process.execPath, [MAIN, ...args]).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error as { stderr: string }).stderr,
  );

let slice: TestSlice;
let enrolled: Enrolled;
const at = (name: string): string => path.join(path.dirname(slice.dir), name);

beforeAll(async () => {
  slice = await startTestSlice();
  enrolled = await enrollAndConfirm(slice, await slice.provision({ serial: 40_200_001 }));
  const { privateKey, publicKey } = generateP256Pair();
  await writeFile(at('their.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(at('their.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
});
afterAll(() => slice.remove());

describe('a customer that is handed over', () => {
  const hand = (customer: string): Promise<string> => {
    const to = ['--recipient', at('their.pub'), '--output', at('acme.kiwibackup')];
    return program('customer', 'export', '--dir', slice.dir, '--customer', customer, ...to);
  };

  test('is the one that is named, and its slice does not run', async () => {
    await slice.stop();
    expect(await hand('beta')).toContain('this is the slice of acme');
    expect(existsSync(at('acme.kiwibackup'))).toBe(false);
    await slice.start();
  });

  test('takes its intermediate along, which this slice does not use any more', async () => {
    await slice.stop();
    expect(await hand('acme')).toContain('Handed over Acme GmbH');
    const { ca, gateway, operator } = slice.paths;
    for (const key of [ca.key, gateway.key, gateway.provisionerKey, operator.provisionerKey]) {
      expect(existsSync(key), key).toBe(false);
    }
    await expect(slice.start()).rejects.toMatchObject({ code: 'slice-handed-over' });
    expect(await hand('acme')).toContain('slice-handed-over');
    const sealed = await readFile(at('acme.kiwibackup'), 'latin1');
    for (const word of ['PRIVATE KEY', 'Acme GmbH', enrolled.laptop.hostName]) expect(sealed).not.toContain(word);
  });

  test('goes on where the recipient opens the file: its laptops notice nothing', async () => {
    const dir = at('theirs');
    expect(await program('restore', at('acme.kiwibackup'), '--key', at('their.key'), '--dir', dir)).toContain(
      'Restored',
    );
    const paths = slicePaths(dir);
    const endpoint = (): Promise<typeof slice.endpoint> => Promise.resolve(slice.endpoint);
    const log = pino({ level: 'silent' });
    const running = await runSlice({ dir, clock: slice.clock, log, env: process.env, endpoint });
    const ca = await readFile(paths.webCa.certificate, 'utf8');
    const gateway = gatewayHand({ port: running.listen.port, hostName: 'enroll.acme.example', ca });
    try {
      const { laptop, grant } = enrolled;
      const message = {
        ...{ protocol: PROTOCOL, deviceId: grant.deviceId, held: 1, nonce: base64url(randomBytes(16)) },
        csr: base64url(await makeCsr(laptop.deviceKey, laptop.hostName)),
        timestamp: new Date(slice.clock.now()).toISOString(),
      };
      const jws = await signDeviceMessage(laptop, TYP.renewal, message);
      expect(codeOf(await gateway.send('POST', PATHS.device(grant.deviceId, 'renewals'), MEDIA.jose, jws))).toBe('ok');
      const operator = await openSlice(dir, slice.clock);
      const audit = await operator.ask('audit.list', { limit: 100 });
      const trail = await operator.ask('audit.verify', {}).catch((error: unknown) => toKiwiError(error));
      await operator.close();
      expect(audit.map(({ action }) => action)).toContain('customer.export');
      expect(trail).toMatchObject({ fault: undefined });
    } finally {
      await gateway.close();
      await running.stop();
    }
  });
});
