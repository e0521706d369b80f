import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import {
  claimStand,
  fromStandError,
  readClaimStand,
  standError,
  type ClaimStand,
} from '../../../src/local-api/claim-stand.ts';

const me = process.getuid?.() ?? 0;
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-stand-'));
  await chmod(folder, 0o755);
  file = path.join(folder, 'claim.json');
});
afterEach(() => rm(folder, { recursive: true }));

const STANDS: readonly ClaimStand[] = [
  { state: 'working', customer: 'Acme', step: { name: 'tunnel', title: 'Bring up the tunnel' } },
  { state: 'waits', customer: 'Acme', for: 'an operator', code: '428913', again: '2026-11-27T12:00:15.000Z' },
  { state: 'retries', customer: 'Acme', error: { code: 'gateway-unreachable' }, again: '2026-11-27T12:00:03.000Z' },
  { state: 'refused', error: { code: 'claim-token-damaged', hint: 'Another.' } },
  { state: 'claimed', customer: 'Acme' },
];

describe('how a claim stands', () => {
  it.each(STANDS)('is read as it was written: $state', async (stand) => {
    await writeFile(file, JSON.stringify(stand));
    expect(await readClaimStand(file, me)).toEqual(stand);
  });

  it('is nothing where there is no file, and no folder', async () => {
    expect(await readClaimStand(file, me)).toBeUndefined();
    expect(await readClaimStand(path.join(folder, 'not/claim.json'), me)).toBeUndefined();
  });

  it.each<[string, string]>([
    ['no JSON', '{'],
    ['another state', '{"state":"won","customer":"Acme"}'],
    ['more than is known', '{"state":"claimed","customer":"Acme","secret":"x"}'],
    ['a member twice', '{"state":"claimed","customer":"Acme","customer":"Beta"}'],
    ['a code that is none', '{"state":"refused","error":{"code":"constructor"}}'],
    ['digits that are none', '{"state":"waits","customer":"Acme","for":"x","code":"<b>1"}'],
    ['a time that is none', '{"state":"waits","customer":"Acme","for":"x","again":"soon"}'],
    ['a name without end', JSON.stringify({ state: 'claimed', customer: 'x'.repeat(301) })],
  ])('is refused: %s', async (_what, text) => {
    await writeFile(file, text);
    await expect(readClaimStand(file, me)).rejects.toMatchObject({ code: 'agent-answer-invalid' });
  });

  it('is refused when it is too large, a link, or no file', async () => {
    await writeFile(file, ' '.repeat(16 * 1024 + 1));
    await expect(readClaimStand(file, me)).rejects.toMatchObject({ code: 'state-damaged' });
    await rm(file);
    await symlink('/etc/hostname', file);
    await expect(readClaimStand(file, me)).rejects.toMatchObject({ code: 'agent-answer-invalid' });
    await rm(file);
    await mkdir(file);
    await expect(readClaimStand(file, me)).rejects.toMatchObject({ code: 'state-damaged' });
  });

  it('is believed only where nobody else could have written it', async () => {
    await writeFile(file, JSON.stringify(STANDS[0]));
    await expect(readClaimStand(file, me + 1)).rejects.toMatchObject({ code: 'agent-untrusted' });
    await chmod(folder, 0o777);
    await expect(readClaimStand(file, me)).rejects.toMatchObject({ code: 'agent-untrusted' });
    const link = path.join(tmpdir(), `${path.basename(folder)}.link`);
    await symlink(folder, link);
    await expect(readClaimStand(path.join(link, 'claim.json'), me)).rejects.toMatchObject({ code: 'agent-untrusted' });
    await rm(link);
  });

  it('has of an error the code, and the hint if it is another one', () => {
    const plain = new KiwiError('gateway-unreachable', { detail: 'secret.example', requestId: 'r' });
    expect(standError(plain)).toEqual({ code: 'gateway-unreachable' });
    expect(fromStandError(standError(plain))).toMatchObject({ message: plain.message, hint: plain.hint });
    const other = new KiwiError('internal', { hint: 'Do this.' });
    expect(fromStandError(standError(other)).hint).toBe('Do this.');
    expect(claimStand.safeParse({ state: 'refused', error: standError(other) }).success).toBe(true);
  });
});
