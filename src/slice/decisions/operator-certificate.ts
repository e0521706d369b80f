import type { Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { EKU, operatorNameIn, operatorUri } from '../../pki/roles.ts';
import { operatorRole, type OperatorRole } from '../../protocol/operator-records.ts';

/** Under which customer an operator's certificate has to be. */
export interface OperatorTrust {
  readonly slug: string;
  readonly intermediate: Certificate;
  readonly root: Certificate;
}

/** Whom an operator's certificate names. Whether they still are an operator, the registry says. */
export interface NamedOperator {
  readonly name: string;
  readonly role: OperatorRole;
  /** RFC 7638 thumbprint of the key. */
  readonly kid: string;
}

/**
 * Reads who an operator is from the certificate that the customer's intermediate issued. No other certificate of ours passes: not that of a
 * YubiKey which enrolls laptops, of a laptop, or of the gateway.
 *
 * @returns why it is none, for one that is none
 */
export function operatorIn(certificate: Certificate, trust: OperatorTrust, at: Date): NamedOperator | string {
  const { slug, intermediate, root } = trust;
  try {
    verifyChain({ leaf: certificate, intermediate, roots: [root], at });
  } catch (error) {
    if (error instanceof ChainError) return error.message;
    throw error;
  }
  if (certificate.extendedKeyUsages.join() !== EKU.operatorKey) return 'not the certificate of an operator';
  if (certificate.sanUris.join() !== operatorUri(slug)) return 'an operator of another customer';
  const name = operatorNameIn(certificate.subject.cn);
  const role = operatorRole.safeParse(certificate.subject.ou);
  if (name === undefined || !role.success) return 'it names no operator';
  try {
    return { name, role: role.data, kid: jwkThumbprint(publicJwk(certificate.publicKey)) };
  } catch {
    return 'not a P-256 key';
  }
}
