import { createPrivateKey } from 'node:crypto';

import { digest } from '../../core/bytes.ts';
import { makeCsr } from '../../pki/csr.ts';
import { spkiDer } from '../../pki/keys.ts';
import { intermediateName } from '../../pki/roles.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { renderRequest } from './request-file.ts';
import { scopeOf } from './issue-intermediate.ts';

/**
 * A request for a new intermediate with the key that the slice has, so that what the old one issued stays valid under the
 * new one; with the digest of that key, to compare with what the signer sees.
 */
export async function requestIntermediate(dir: string): Promise<{ text: string; keyDigest: string }> {
  const scope = scopeOf(await readSliceConfig(dir));
  const key = createPrivateKey(await readPart(slicePaths(dir).ca.key, true));
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
