import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANAGEMENT_KEY, openWorkbench, PIN, PUK, succeeds, YKCS11, type Workbench } from './workbench.ts';

const CKR_PIN_INCORRECT = 0xa0;
const CKR_PIN_LOCKED = 0xa4;
const COUNT_LOW = 0x10000;
const FINAL_TRY = 0x20000;
const LOCKED = 0x40000;

describe('graphene-pk11 with libykcs11', () => {
  let bench: Workbench;
  const client = async (what: string): Promise<Record<string, unknown>> => {
    const script = join(import.meta.dirname, 'use-graphene.ts');
    const argv = [process.execPath, script, what, YKCS11, PIN, '654321', MANAGEMENT_KEY];
    return JSON.parse(await succeeds(bench.run(...argv))) as Record<string, unknown>;
  };
  beforeAll(async () => {
    bench = await openWorkbench();
  });
  afterAll(() => bench.close());

  it('generates, reads the attestation, imports a certificate, signs, verifies and changes the PIN', async () => {
    const done = await client('use');
    expect(done).toMatchObject({ label: 'YubiKey PIV #12345678', generated: '02', imported: true, verified: true });
    const attestation = new X509Certificate(Buffer.from(String(done['attestation']), 'base64'));
    expect(attestation.subject).toBe('CN=YubiKey PIV Attestation 9c');
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', '654321'));
  });

  it('gets the codes and flags of a YubiKey while the PIN is being blocked; the PUK unblocks it', async () => {
    const { codes } = await client('block');
    expect(codes).toEqual([
      [CKR_PIN_INCORRECT, COUNT_LOW],
      [CKR_PIN_INCORRECT, FINAL_TRY],
      [CKR_PIN_INCORRECT, LOCKED],
      [CKR_PIN_LOCKED, LOCKED],
    ]);
    await succeeds(bench.pivTool('-a', 'unblock-pin', '-P', PUK, '-N', PIN));
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', PIN));
  });
});
