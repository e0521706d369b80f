import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import type { SoftwareYubikey } from '../../fakes/slice/software-yubikey.ts';
import { sendStatement } from '../../fakes/slice/test-laptop.ts';
import type { SliceConfig } from '../../../src/slice/config/slice-config.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { TestCard } from '../../unit/virtual-yubikey/test-card.ts';
import { authorityExtension, issuerParts, signCertificate } from '../../virtual-yubikey/key/certificate.ts';
import { makeKey } from '../../virtual-yubikey/key/make-key.ts';
import { makeRoot } from '../../virtual-yubikey/key/make-root.ts';
import { certificateInObject } from '../../virtual-yubikey/piv/objects.ts';
import { extension } from '../../virtual-yubikey/wire/der.ts';
import { codeOf, enroll, seal, start } from './enrolling.ts';

/** A virtual YubiKey with a key generated in 9c, addressed with APDUs, and its attestation of that key. */
async function virtualYubikey(rootDirectory: string, serial: number, firmware: string): Promise<SoftwareYubikey> {
  const state = makeKey({ statePath: path.join(rootDirectory, `${serial}.json`), rootDirectory, serial, firmware });
  const card = new TestCard(state);
  await card.select();
  await (firmware === '5.4.3' ? card.authenticate() : card.authenticate('aes-192-ecb', '0a'));
  expect(await card.generate('9c', 3, 2)).toBe('9000');
  const { data } = await card.send('00 f9 9c 00');
  const key = createPrivateKey(card.state.slots['9c']?.privateKey ?? '');
  const f9 = certificateInObject(Buffer.from(card.state.objects['5fff01'] ?? '', 'hex'));
  return {
    ...{ serial, slot: '9c', key, signer: keySigner(key) },
    attestation: parseCertificate(data),
    attestationIssuer: parseCertificate(f9 ?? Buffer.alloc(0)),
    csr: () => makeCsr(key, `KiwiStack enrollment ${serial}`),
  };
}

let folder: string;
let slice: TestSlice;
let old: ProvisionedKey;
let late: ProvisionedKey;
/** Certificates of this world's manufacturer and of another one that uses the same names, by file name. */
const pem = async (world: 'ours' | 'others', name: string): Promise<string> =>
  readFile(path.join(folder, world, `${name}.crt`), 'utf8');
const CHAIN = ['attestation-root-1', 'attestation-intermediate-b1', 'piv-attestation-b1'] as const;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-chain-'));
  for (const world of ['ours', 'others']) makeRoot(path.join(folder, world));
  slice = await startTestSlice({ init: { yubicoRootFile: path.join(folder, 'ours', 'roots.pem') } });
  old = await slice.provisionKey(await virtualYubikey(path.join(folder, 'ours'), 20_000_001, '5.4.3'));
  late = await slice.provisionKey(await virtualYubikey(path.join(folder, 'ours'), 20_000_002, '5.7.4'));
});
afterAll(async () => {
  await slice.remove();
  await rm(folder, { recursive: true });
});

/** Restarts the slice with these certificates pinned as the manufacturer's. */
async function pin(...certificates: string[]): Promise<void> {
  await writeFile(slice.paths.yubicoRoots, certificates.join(''));
  await slice.restart();
}

async function send(
  key: ProvisionedKey,
  change?: { attestation: Buffer; attestationIssuer: Buffer },
): Promise<ErrorCode | 'ok'> {
  const started = await start(slice, key);
  if (change !== undefined) {
    started.statement.yubikey.attestation = base64url(change.attestation);
    started.statement.yubikey.attestationIssuer = base64url(change.attestationIssuer);
  }
  return codeOf(await sendStatement(slice.gateway, started.sessionId, await seal(started, key)));
}

describe('a slice that pins roots and intermediates of the maker', () => {
  test('enrolls with a key of firmware 5.4, whose f9 is under the root', async () => {
    expect((await enroll(slice, old)).grant).toBeDefined();
  });

  test('enrolls with a key of firmware 5.7.4, whose f9 is under two intermediates', async () => {
    const issuers = [late.attestationIssuer.issuerDer, old.attestationIssuer.issuerDer];
    expect(issuers[0]?.equals(issuers[1] ?? Buffer.alloc(0))).toBe(false);
    expect((await enroll(slice, late)).grant).toBeDefined();
  });

  test('notes firmware before 5.7.0, and refuses it if the operator decides so', async () => {
    const { registry } = slice.running.context;
    const whyOfGrant = async (key: ProvisionedKey): Promise<string | undefined> => {
      const { grant } = await enroll(slice, key);
      const records = await registry.listAudit(20);
      return records.find(({ action, deviceId }) => action === 'enrollment.grant' && deviceId === grant.deviceId)?.why;
    };
    expect(await whyOfGrant(old)).toContain('firmware 5.4.3, and 5.7.0 or later is asked for');
    expect(await whyOfGrant(late)).not.toContain('firmware');
    const written = await readFile(slice.paths.config, 'utf8');
    const { firmware, ...before } = JSON.parse(written) as SliceConfig;
    await writeFile(slice.paths.config, JSON.stringify({ ...before, firmware: { minimum: '5.7.4', older: 'refuse' } }));
    await slice.restart();
    expect([await send(old), await send(late)]).toEqual(['policy-refused', 'ok']);
    // Slices that were made before there was this setting warn.
    await writeFile(slice.paths.config, JSON.stringify(before));
    await slice.restart();
    expect(slice.running.context.config.firmware).toEqual(firmware);
    expect(firmware).toEqual({ minimum: '5.7.0', older: 'warn' });
  });

  test.each(CHAIN)('refuses the latter when %s is not among them, and takes the former', async (missing) => {
    const kept = CHAIN.filter((name) => name !== missing);
    await pin(await pem('ours', 'root'), ...(await Promise.all(kept.map((name) => pem('ours', name)))));
    expect([await send(late), await send(old)]).toEqual(['attestation-refused', 'ok']);
  });

  test.each(CHAIN)('refuses it when %s is another maker’s of the same name', async (foreign) => {
    const certificates = CHAIN.map((name) => pem(name === foreign ? 'others' : 'ours', name));
    await pin(...(await Promise.all(certificates)));
    expect(await send(late)).toBe('attestation-refused');
  });

  test('refuses a key of another maker whose authorities have the same names', async () => {
    await pin(await readFile(path.join(folder, 'ours', 'roots.pem'), 'utf8'));
    const foreign = await slice.provisionKey(await virtualYubikey(path.join(folder, 'others'), 20_000_003, '5.7.4'));
    expect([await send(foreign), await send(late)]).toEqual(['attestation-refused', 'ok']);
  });

  test('refuses it when an authority allows no authority below it, or is not one', async () => {
    const rootDirectory = path.join(folder, 'ours');
    const key = createPrivateKey(await readFile(path.join(rootDirectory, 'piv-attestation-b1.key')));
    const issuer = createPrivateKey(await readFile(path.join(rootDirectory, 'attestation-intermediate-b1.key')));
    const original = parseCertificate(await pem('ours', 'piv-attestation-b1'));
    const again = (...extensions: Buffer[]): string =>
      parseCertificate(
        signCertificate(
          {
            serialNumber: Buffer.of(0x41),
            issuer: original.issuerDer,
            validity: issuerParts(original.der).validity,
            subject: original.subjectDer,
            publicKey: createPublicKey(key),
            extensions,
          },
          issuer,
        ),
      ).pem;
    const above = [await pem('ours', 'attestation-root-1'), await pem('ours', 'attestation-intermediate-b1')];
    for (const [extensions, outcome] of [
      [[authorityExtension(1)], 'ok'],
      [[authorityExtension(0)], 'attestation-refused'],
      [[extension('1.3.6.1.4.1.41482.3.3', Buffer.of(5, 7, 4))], 'attestation-refused'],
    ] as const) {
      await pin(...above, again(...extensions));
      expect(await send(late)).toBe(outcome);
    }
  });

  test('refuses f9 in the place of an attestation, and an attestation in the place of f9', async () => {
    await pin(await readFile(path.join(folder, 'ours', 'roots.pem'), 'utf8'));
    const piv = parseCertificate(await pem('ours', 'piv-attestation-b1'));
    const { attestation, attestationIssuer } = late;
    expect(await send(late, { attestation: attestationIssuer.der, attestationIssuer: piv.der })).toBe(
      'attestation-refused',
    );
    expect(await send(late, { attestation: attestation.der, attestationIssuer: attestation.der })).toBe(
      'attestation-refused',
    );
    expect(await send(late, { attestation: attestation.der, attestationIssuer: piv.der })).toBe('attestation-refused');
  });
});
