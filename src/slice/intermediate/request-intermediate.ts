import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { digest } from '../../core/bytes.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { makeCsr } from '../../pki/csr.ts';
import { generateP256, spkiDer } from '../../pki/keys.ts';
import { intermediateName } from '../../pki/roles.ts';
import { renderRequest } from '../../provider/request-file.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { scopeOf } from './scope-of.ts';

/**
 * A request for a new intermediate, with the digest of its key, to compare with what the signer sees. With the key that the
 * slice has, what the old one issued stays valid under the new one; with a new key, which waits beside it, nothing does.
 */
export async function requestIntermediate(
  dir: string,
  { newKey = false }: { readonly newKey?: boolean } = {},
): Promise<{ text: string; keyDigest: string }> {
  const scope = scopeOf(await readSliceConfig(dir));
  const { ca } = slicePaths(dir);
  const key = createPrivateKey(newKey ? await nextKey(ca.next) : await readPart(ca.key, true));
  const csr = (await makeCsr(key, intermediateName(scope.customer.slug))).toString('base64');
  const lines = csr.match(/.{1,64}/g) ?? [];
  const text = renderRequest({
    customer: { ...scope.customer },
    domains: [...scope.domains],
    networks: [...scope.networks],
    csr: `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`,
  });
  return { text, keyDigest: digest(spkiDer(key)) };
}

/** Made once: a request that is written again is for the same key. */
async function nextKey(folder: string): Promise<Buffer> {
  const file = path.join(folder, 'intermediate.key');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(file)) {
    await writeDurableFile(file, generateP256().export({ type: 'pkcs8', format: 'pem' }), 0o600);
  }
  return readPart(file, true);
}
