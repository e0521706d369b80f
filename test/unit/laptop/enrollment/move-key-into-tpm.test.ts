import { readFileSync } from 'node:fs';
import path from 'node:path';

import { beforeEach, describe, expect, it } from 'vitest';

import type { ErrorCode } from '../../../../src/core/error-codes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { EnrollmentRun } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import { moveKeyIntoTpm } from '../../../../src/laptop/enrollment/move-key-into-tpm.ts';
import type { Tpm } from '../../../../src/laptop/system/tpm.ts';
import type { TpmKeyParts } from '../../../../src/pki/tpm-key-file.ts';
import { tpmClaimIn } from '../../../../src/protocol/tpm-key.ts';
import type { Hello } from '../../../../src/protocol/hello.ts';

const vectors = path.join(import.meta.dirname, '../../../vectors/tpm-key.json');
const { publicArea, endorsement } = JSON.parse(readFileSync(vectors, 'utf8')) as Record<string, string>;
const PARTS = { publicArea: Buffer.from(publicArea ?? '', 'base64url') } as TpmKeyParts;

/** What was done, in order. */
let done: string[];
/** What the slice heard. */
let hellos: Hello[];
let fails: { readonly at: keyof Tpm | 'hello'; readonly code: ErrorCode } | undefined;
let kept: TpmKeyParts | undefined;

const does = <Result>(what: keyof Tpm | 'hello', result: Result): Promise<Result> => {
  done.push(what);
  return fails?.at === what ? Promise.reject(new KiwiError(fails.code)) : Promise.resolve(result);
};
/** A laptop whose slice does not come further than its challenge. */
const run = () =>
  ({
    platform: {
      ...{ stateFolder: '/nonexistent', pinnedRootsFile: '/nonexistent/roots.pem' },
      tpm: {
        endorsementCertificate: () => does('endorsementCertificate', Buffer.from(endorsement ?? '', 'base64url')),
        createKey: () => does('createKey', PARTS),
        activate: () => does('activate', Buffer.alloc(32)),
      },
      certificates: { keepTpmKey: () => Promise.resolve(void done.push('keepTpmKey')) },
      hardware: {
        readHardware: () => Promise.resolve({ uuid: '4c4c4544-0042-4b10-8052-b4c04f473533' }),
        readSystem: () =>
          Promise.resolve({ hostName: 'anna-laptop', os: 'linux', osVersion: 'Debian 12', arch: 'x64' }),
      },
    },
    record: { slug: 'acme' },
    key: { certificate: {} },
    options: { clock: { now: () => 0 }, roots: [] },
    context: {},
    signal: new AbortController().signal,
    deviceKey: () => Promise.resolve({ parts: kept }),
    client: () =>
      Promise.resolve({
        hello: (bytes: Buffer) => {
          hellos.push(JSON.parse(bytes.toString()) as Hello);
          return does('hello', 'no challenge');
        },
      }),
  }) as unknown as EnrollmentRun;

beforeEach(() => {
  [done, hellos, fails, kept] = [[], [], undefined, undefined];
});

describe('a device key that the slice wants in the TPM', () => {
  it.for<[keyof Tpm, ErrorCode]>([
    ['endorsementCertificate', 'tpm-missing'],
    ['endorsementCertificate', 'tpm-uncertified'],
    ['endorsementCertificate', 'tool-missing'],
    ['createKey', 'tpm-owned'],
    ['createKey', 'tpm-locked'],
  ])('stays in a file where %s says %s, unless the slice demands it', async ([at, code]) => {
    fails = { at, code };
    expect(await moveKeyIntoTpm(run(), { want: 'prefer' })).toMatchObject({ code });
    await expect(moveKeyIntoTpm(run(), { want: 'require' })).rejects.toMatchObject({ code });
    // A slice that cannot be given a proof hears nothing of the TPM.
    expect([hellos, done.includes('keepTpmKey')]).toEqual([[], false]);
  });

  it.for<ErrorCode>(['gateway-unreachable', 'slice-busy'])('is not given up because of %s', async (code) => {
    fails = { at: 'hello', code };
    for (const want of ['prefer', 'require'] as const) {
      await expect(moveKeyIntoTpm(run(), { want })).rejects.toMatchObject({ code });
    }
    expect(done).not.toContain('keepTpmKey');
  });

  it('is claimed with its own public area and the certificate of the TPM, and kept only after the TPM has opened the credential', async () => {
    await expect(moveKeyIntoTpm(run(), { want: 'prefer' })).rejects.toBeInstanceOf(KiwiError);
    expect(done).toEqual(['endorsementCertificate', 'createKey', 'hello']);
    expect(hellos.map((hello) => tpmClaimIn(hello))).toEqual([{ publicArea, endorsement }]);
  });

  it('is not made again where an interrupted run has kept one', async () => {
    kept = PARTS;
    await expect(moveKeyIntoTpm(run(), { want: 'require' })).rejects.toBeInstanceOf(KiwiError);
    expect(done).toEqual(['endorsementCertificate', 'hello']);
    expect(hellos.map((hello) => tpmClaimIn(hello))).toEqual([{ publicArea, endorsement }]);
  });
});
