import { elementsOf, readElement, writeElement } from './der-element.ts';
import { ecdsaToDer } from './ecdsa-signature.ts';
import { canonicalSignature, type Signer } from './signer.ts';

/**
 * A certificate of ours with the signature of a key that is not in memory, in place of the one that it has. What is signed
 * does not depend on the key that signs: issuer and key identifier are in it already. Signs once.
 *
 * @param der signed with ECDSA and SHA-256
 * @param signer P-256
 */
export async function signAgain(der: Buffer, signer: Signer): Promise<Buffer> {
  if (signer.alg !== 'ES256') throw new TypeError('not a P-256 key');
  const [content, algorithm] = elementsOf(readElement(der).content);
  if (content === undefined || algorithm === undefined) throw new TypeError('not a certificate');
  const signature = ecdsaToDer(canonicalSignature(signer.alg, await signer.sign(content.bytes)));
  return writeElement(0x30, content.bytes, algorithm.bytes, writeElement(0x03, Buffer.of(0), signature));
}
