import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import { parseCertificate, parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { readRevocationList, RevocationListError, type RevocationList } from '../../pki/revocation-list.ts';
import { keySigner, type Signer } from '../../pki/signer.ts';
import { x25519PublicText } from '../../pki/x25519.ts';
import { timestamp } from '../../protocol/common.ts';
import { proofKey } from './proof-key.ts';
import { readSliceFile } from './read-slice-file.ts';
import { parseConfigFile } from './slice-config.ts';
import type { SlicePaths } from './slice-paths.ts';
import { readTpmMakers } from './tpm-makers.ts';

/** What a slice is and whom it trusts; none of it changes while the slice runs. */
export interface SliceIdentity {
  readonly mspRoot: Certificate;
  readonly intermediate: Certificate;
  readonly grantCertificate: Certificate;
  /** Signs challenges and grants. */
  readonly signer: Signer;
  /** Laptops prove against it that they hold their WireGuard key; `publicText` as WireGuard writes keys. */
  readonly proof: { readonly privateKey: KeyObject; readonly publicText: string };
  readonly yubicoRoots: readonly Certificate[];
  /** The provider's newest revocation list; undefined while it has taken nothing back. */
  readonly rootList: RevocationList | undefined;
  /** When the intermediate was replaced by one with another key, milliseconds; undefined while it never was. */
  readonly replacedAt: number | undefined;
  /** CA certificates of the makers whose TPMs the customer trusts; none where there is no such file. */
  readonly tpmMakers: readonly Certificate[];
}

/** In the folder of what is to take a place: from now on all of it does. */
export const READY = 'ready';

const replaced = z.strictObject({ version: z.literal(1), at: timestamp });

export const renderReplaced = (at: number): string =>
  `${JSON.stringify({ version: 1, at: new Date(at).toISOString() })}\n`;

const TAKEN_BACK =
  'Have the provider sign a new one: `kiwistack-slice intermediate request --new-key`, then `intermediate replace`.';

/**
 * Reads the slice's identity, once at the start. The keys of the MSP and of the intermediate are not read.
 *
 * @throws KiwiError `slice-unfinished` when the provider has not signed the intermediate yet, or its change was interrupted;
 *   `intermediate-refused`, `slice-handed-over`, `slice-damaged`
 */
export async function loadIdentity(paths: SlicePaths): Promise<SliceIdentity> {
  if (!existsSync(paths.ca.certificate) && !existsSync(paths.gateway.certificate)) {
    throw new KiwiError('slice-unfinished', { detail: paths.ca.certificate });
  }
  if (existsSync(paths.ca.handedOver)) throw new KiwiError('slice-handed-over', { detail: paths.dir });
  if (existsSync(path.join(paths.ca.next, READY))) {
    const hint = 'Run `kiwistack-slice intermediate replace` again: it completes what was begun.';
    throw new KiwiError('slice-unfinished', { detail: 'the change of the intermediate was interrupted', hint });
  }
  const certificate = async (file: string) => parseCertificate((await readPart(file)).toString('utf8'));
  const key = createPrivateKey(await readPart(paths.gateway.key, true));
  const proof = proofKey(key);
  const mspRoot = await certificate(paths.ca.root);
  const intermediate = await certificate(paths.ca.certificate);
  const rootList = existsSync(paths.ca.rootList)
    ? readRootList((await readPart(paths.ca.rootList)).toString('utf8'), mspRoot, paths.ca.rootList)
    : undefined;
  if (rootList?.revokes(intermediate) === true) {
    throw new KiwiError('intermediate-refused', { detail: 'the provider has taken it back', hint: TAKEN_BACK });
  }
  return {
    mspRoot,
    intermediate,
    rootList,
    replacedAt: await readReplacedAt(paths),
    grantCertificate: await certificate(paths.gateway.certificate),
    signer: keySigner(key),
    proof: { privateKey: proof, publicText: x25519PublicText(proof) },
    yubicoRoots: parsePemBundle((await readPart(paths.yubicoRoots)).toString('utf8')),
    tpmMakers: existsSync(paths.tpmMakers) ? readTpmMakers(await readPart(paths.tpmMakers), paths.tpmMakers) : [],
  };
}

/**
 * Reads a provider's revocation list, PEM.
 * @throws KiwiError with the given code, when it is none, or is not by this root
 */
export function readRootList(
  pem: string,
  root: Certificate,
  file: string,
  code: 'slice-damaged' | 'file-unusable' = 'slice-damaged',
): RevocationList {
  let list: RevocationList;
  try {
    list = readRevocationList(pem);
  } catch (error) {
    if (!(error instanceof RevocationListError)) throw error;
    throw new KiwiError(code, { detail: `${file}: ${error.message}`, cause: error });
  }
  if (!list.isSignedBy(root)) throw new KiwiError(code, { detail: `${file}: not a list of ca/root.crt` });
  return list;
}

/** When the intermediate was replaced last, milliseconds since 1970; undefined while it never was. */
export async function readReplacedAt({ ca }: SlicePaths): Promise<number | undefined> {
  if (!existsSync(ca.replaced)) return undefined;
  return Date.parse(parseConfigFile(replaced, await readPart(ca.replaced), ca.replaced).at);
}

/**
 * Reads a file in the slice's own folder.
 * @throws KiwiError `slice-damaged` when it is missing or, being private, readable by others
 */
export async function readPart(file: string, isPrivate = false): Promise<Buffer> {
  try {
    return await readSliceFile(file, { private: isPrivate });
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    throw new KiwiError('slice-damaged', { detail: `${file}: cannot be read`, cause: error });
  }
}
