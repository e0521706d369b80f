import { decoyKey } from '../../pki/claim-token.ts';
import type { ClaimToken } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';

/**
 * A token and its key; for one that is not known, a key that nobody else has, always the same. Both are made in every case, so that the time
 * tells nothing.
 */
export async function knownToken(
  { registry, identity }: SliceContext,
  tokenId: string,
): Promise<{ readonly token: ClaimToken | undefined; readonly key: Buffer }> {
  const decoy = decoyKey(identity.proof.privateKey, tokenId);
  const token = await registry.findToken(tokenId);
  return { token, key: token === undefined ? decoy : Buffer.from(token.key, 'base64url') };
}
