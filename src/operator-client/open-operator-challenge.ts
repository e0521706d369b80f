import { digest } from '../core/bytes.ts';
import { KiwiError } from '../core/errors.ts';
import type { Certificate } from '../pki/certificate.ts';
import { checkGateway, openGatewaySigned } from '../pki/gateway-signed.ts';
import { intermediateName } from '../pki/roles.ts';
import { LIMITS, TYP } from '../protocol/common.ts';
import { operatorChallenge, type OperatorChallenge } from '../protocol/operator-sign-in.ts';
import { parseMessage } from '../protocol/parse.ts';

/**
 * The operator's check that the other side is the slice that issued the certificate in the YubiKey, before the PIN is asked for; as a
 * laptop opens its challenge (`openChallenge` of src/laptop/exchange).
 *
 * @param input.certificate of the operator, in the YubiKey
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`, `key-certificate-replaced`
 */
export function openOperatorChallenge(input: {
  readonly jws: string;
  readonly hello: string;
  readonly roots: readonly Certificate[];
  readonly certificate: Certificate;
}): { readonly challenge: OperatorChallenge; readonly root: Certificate } {
  const { payload, gateway, intermediate } = openGatewaySigned(input.jws, TYP.operatorChallenge);
  const challenge = parseMessage(operatorChallenge, payload, LIMITS.challenge, 'slice-not-proven');
  const root = checkGateway({ gateway, intermediate, roots: input.roots, at: new Date(challenge.serverTime) });
  const { certificate } = input;
  if (!certificate.issuerDer.equals(intermediate.subjectDer)) {
    refuse("another issuer than that of the YubiKey's certificate");
  }
  // The customer's next intermediate, for which the root vouches: it is the YubiKey that is behind. It signs nothing all the same.
  if (!certificate.isSignedBy(intermediate)) {
    throw new KiwiError('key-certificate-replaced', {
      detail: "its issuer is not the customer's intermediate any more",
    });
  }
  const { customer } = challenge;
  if (customer.name !== intermediate.subject.o || intermediate.subject.cn !== intermediateName(customer.slug)) {
    refuse("another customer than the intermediate's");
  }
  if (challenge.helloHash !== digest(input.hello)) refuse('answers another hello');
  return { challenge, root };
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
