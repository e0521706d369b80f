import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../core/errors.ts';
import { parseCertificate } from '../pki/certificate.ts';
import type { SlotKey } from './enrollment-key.ts';
import { manageKey, type ManagementKey, type ManageTool } from './manage-key.ts';
import type { PivSlot } from './piv-slot.ts';
import type { Token } from './token.ts';

export type { ManagementKey, ManageTool } from './manage-key.ts';

export interface GenerateRequest {
  readonly serial: number;
  readonly slot: PivSlot;
  readonly pinPolicy: 'once' | 'always';
  readonly touchPolicy: 'never' | 'always' | 'cached';
  readonly managementKey: ManagementKey;
  /** By default ykman where it is installed, else yubico-piv-tool. */
  readonly tool?: ManageTool;
  readonly signal?: AbortSignal;
}

/** A fresh key: `token.sign(key, data, …)` signs with it, for instance its certificate request. */
export interface GeneratedKey extends SlotKey {
  readonly publicKey: KeyObject;
}

/**
 * Generates a new key (P-256) inside a YubiKey; what was in the slot is lost. The key is then read through the module, and
 * must be the generated one: attested for this serial and slot, with the requested policies.
 *
 * Through ykman or yubico-piv-tool, because libykcs11 2.2.0 (Debian 12, Ubuntu 24.04) cannot set the policies.
 *
 * @throws KiwiError `management-key-refused`, `key-removed`, `tool-missing`, `program-failed`, `key-certificate-invalid`
 */
export async function generateInSlot(token: Token, request: GenerateRequest): Promise<GeneratedKey> {
  const { serial, slot, pinPolicy, touchPolicy, managementKey, signal } = request;
  const reader = await readerOf(token, serial, signal);
  const made = createPublicKey(
    await manageKey({ act: 'generate', serial, reader, slot, pinPolicy, touchPolicy }, managementKey, request),
  );
  const key = await token.slotKey(serial, slot, signal);
  const attested = parseCertificate(key.attestation);
  const refuse = (why: string): never => {
    throw new KiwiError('key-certificate-invalid', { detail: `slot ${slot}: ${why}` });
  };
  if (!made.equals(attested.publicKey)) refuse('the attested key is not the generated one');
  if (key.pinPolicy !== pinPolicy || key.touchPolicy !== touchPolicy) refuse('generated with other policies');
  return { ...key, publicKey: attested.publicKey };
}

export interface ImportRequest {
  readonly serial: number;
  readonly slot: PivSlot;
  readonly der: Buffer;
  readonly managementKey: ManagementKey;
  /** By default ykman where it is installed, else yubico-piv-tool. */
  readonly tool?: ManageTool;
  readonly signal?: AbortSignal;
}

/**
 * Writes the certificate of a slot's key, and reads it back.
 *
 * @throws KiwiError as generateInSlot; `key-certificate-invalid` when the certificate is for another key
 */
export async function importCertificate(token: Token, request: ImportRequest): Promise<void> {
  const { serial, slot, der, managementKey, signal } = request;
  const certificate = parseCertificate(der);
  const key = await token.slotKey(serial, slot, signal);
  if (!certificate.spki.equals(parseCertificate(key.attestation).spki)) {
    throw new KiwiError('key-certificate-invalid', {
      detail: `slot ${slot}: the certificate is for another key than the one in the slot`,
    });
  }
  const reader = await readerOf(token, serial, signal);
  const folder = await mkdtemp(path.join(tmpdir(), 'kiwistack-'));
  try {
    const file = path.join(folder, 'certificate.pem');
    await writeFile(file, certificate.pem, { mode: 0o600, flag: 'wx' });
    await manageKey({ act: 'import', serial, reader, slot, file }, managementKey, request);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const there = (await token.list(signal)).find((yubikey) => yubikey.serial === serial);
  const read = there?.slots.find((entry) => entry.slot === slot)?.certificate;
  if (read?.der.equals(certificate.der) !== true) {
    throw new KiwiError('key-fault', { detail: `slot ${slot}: the certificate that was written cannot be read back` });
  }
}

async function readerOf(token: Token, serial: number, signal: AbortSignal | undefined): Promise<string> {
  const found = (await token.list(signal)).find((yubikey) => yubikey.serial === serial);
  if (found === undefined) throw new KiwiError('key-removed', { detail: `serial ${serial} is gone` });
  return found.reader;
}
