import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { openCompact, signCompact } from '../../src/pki/jws.ts';
import { keySigner } from '../../src/pki/signer.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { TYP } from '../../src/protocol/common.ts';
import { updateManifest, type UpdateManifest, type UpdatePackage } from '../../src/protocol/update-manifest.ts';
import { factsOf } from './artefact.ts';

const DAY_MS = 86_400_000;
/** Debian's names for Node's. */
const ARCHITECTURES: Readonly<Record<string, UpdatePackage['architecture']>> = { amd64: 'x64', arm64: 'arm64' };

export interface ManifestRequest {
  /** Packages of one version. */
  readonly debs: readonly string[];
  /** P-256 private key, PEM. */
  readonly key: Buffer;
  readonly rollout: number;
  readonly validDays: number;
  readonly now: Date;
}

/**
 * Signs what laptops are to install.
 * @throws KiwiError `file-unusable` for what is no package of ours or no key; `usage` when the packages do not fit together
 */
export async function signManifest(request: ManifestRequest): Promise<{ jws: string; manifest: UpdateManifest }> {
  const { debs, rollout, validDays, now } = request;
  const key = readKey(request.key);
  const described = await Promise.all(debs.map(describe));
  const versions = new Set(described.map(({ version }) => version));
  const [version] = versions;
  if (version === undefined || versions.size > 1) {
    throw new KiwiError('usage', { detail: `packages of one version are needed, and these are of ${versions.size}` });
  }
  const manifest = updateManifest.safeParse({
    schema: 1,
    version,
    issuedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + validDays * DAY_MS).toISOString(),
    rollout,
    packages: described.map(({ version: _, ...facts }) => facts),
  });
  if (!manifest.success) {
    const wrong = manifest.error.issues.map(({ path: place }) => place.join('.')).join(', ');
    throw new KiwiError('usage', { detail: `laptops would not take it: ${wrong}` });
  }
  const jws = await signCompact({ typ: TYP.update, payload: JSON.stringify(manifest.data), signer: keySigner(key) });
  // What is handed out is what was verified.
  if (!openCompact(jws, TYP.update).verify(createPublicKey(key))) throw new TypeError('the signature does not verify');
  return { jws, manifest: manifest.data };
}

async function describe(deb: string): Promise<Omit<UpdatePackage, 'name'> & { name: string; version: string }> {
  const args = ['--show', '--showformat=${Package} ${Version} ${Architecture}', deb];
  const { stdout } = await runChecked({ program: '/usr/bin/dpkg-deb', args }).catch((cause: unknown) => {
    throw new KiwiError('file-unusable', { detail: `${deb} is no Debian package`, cause });
  });
  const [name = '', version = '', debian = ''] = stdout.toString().trim().split(' ');
  const architecture = ARCHITECTURES[debian];
  if (architecture === undefined) throw new KiwiError('file-unusable', { detail: `${deb} is for ${debian}` });
  const { bytes, sha256 } = await factsOf(deb);
  return { name, version, system: 'linux', architecture, file: path.basename(deb), size: bytes, sha256 };
}

function readKey(pem: Buffer): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // The reason would say more of the key than anybody needs.
  }
  throw new KiwiError('file-unusable', { detail: 'the release key is no P-256 private key in PEM' });
}
