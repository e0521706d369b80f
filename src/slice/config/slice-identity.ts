import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';

import { KiwiError } from '../../core/errors.ts';
import { parseCertificate, parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { keySigner, type Signer } from '../../pki/signer.ts';
import { x25519PublicText } from '../../pki/x25519.ts';
import { proofKey } from './proof-key.ts';
import { readSliceFile } from './read-slice-file.ts';
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
  /** CA certificates of the makers whose TPMs the customer trusts; none where there is no such file. */
  readonly tpmMakers: readonly Certificate[];
}

/**
 * Reads the slice's identity, once at the start. The keys of the MSP and of the intermediate are not read.
 *
 * @throws KiwiError `slice-unfinished` when the provider has not signed the intermediate yet; `slice-damaged`
 */
export async function loadIdentity(paths: SlicePaths): Promise<SliceIdentity> {
  if (!existsSync(paths.ca.certificate) && !existsSync(paths.gateway.certificate)) {
    throw new KiwiError('slice-unfinished', { detail: paths.ca.certificate });
  }
  const certificate = async (file: string) => parseCertificate((await readPart(file)).toString('utf8'));
  const key = createPrivateKey(await readPart(paths.gateway.key, true));
  const proof = proofKey(key);
  return {
    mspRoot: await certificate(paths.ca.root),
    intermediate: await certificate(paths.ca.certificate),
    grantCertificate: await certificate(paths.gateway.certificate),
    signer: keySigner(key),
    proof: { privateKey: proof, publicText: x25519PublicText(proof) },
    yubicoRoots: parsePemBundle((await readPart(paths.yubicoRoots)).toString('utf8')),
    tpmMakers: existsSync(paths.tpmMakers) ? readTpmMakers(await readPart(paths.tpmMakers), paths.tpmMakers) : [],
  };
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
