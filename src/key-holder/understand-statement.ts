import { KiwiError } from '../core/errors.ts';
import { JoseError, openSigningInput } from '../pki/jws.ts';
import { enrollmentNames } from '../pki/roles.ts';
import { LIMITS, TYP } from '../protocol/common.ts';
import { parseMessage } from '../protocol/parse.ts';
import { statement, type Statement } from '../protocol/statement.ts';
import type { EnrollmentKey } from '../token/token.ts';

/**
 * Reads what the agent wants signed. A YubiKey's signature can mean anything, so nothing is signed that is not a statement of this
 * key, for the customer that the key's own certificate names: the one the person was told of.
 *
 * @throws KiwiError `statement-not-understood`
 */
export function understandStatement(data: Uint8Array, key: EnrollmentKey): Statement {
  const refuse = (detail: string, cause?: unknown): never => {
    throw new KiwiError('statement-not-understood', { detail, cause });
  };
  let opened: ReturnType<typeof openSigningInput>;
  try {
    opened = openSigningInput(data, TYP.statement);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    return refuse(error.message, error);
  }
  const { header, payload } = opened;
  const [certificate] = header.x5c ?? [];
  if (header.alg !== key.algorithm || certificate !== key.certificate.der.toString('base64')) {
    refuse('it is not for this YubiKey');
  }
  const said = parseMessage(statement, payload, LIMITS.statement, 'statement-not-understood');
  if (said.slug !== enrollmentNames(key.certificate.sanUris)?.slug) refuse('it is for another customer');
  if (said.yubikey.serial !== key.serial || said.yubikey.slot !== key.slot) refuse('it names another YubiKey');
  return said;
}
