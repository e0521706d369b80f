import { decoyKey } from '../../pki/claim-token.ts';
import type { SliceContext } from '../slice-context.ts';

/**
 * The key of a token; for one that is not known, a key that nobody else has, always the same. Both are made in every case, so that the time
 * tells nothing.
 */
export async function tokenKey({ registry, identity }: SliceContext, tokenId: string): Promise<Buffer> {
  const decoy = decoyKey(identity.proof.privateKey, tokenId);
  const token = await registry.findToken(tokenId);
  return token === undefined ? decoy : Buffer.from(token.key, 'base64url');
}
