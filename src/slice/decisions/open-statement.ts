import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import { JoseError, openGeneral, type OpenedGeneral } from '../../pki/jws.ts';
import { CLOCK_WINDOW_MS, TYP } from '../../protocol/common.ts';
import {
  MAX_APPROVAL_MS,
  MAX_STATEMENT,
  operatorStatement,
  type OperatorStatement,
} from '../../protocol/operator-statement.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { NamedOperator } from './operator-certificate.ts';
import { mayAsk } from './may-ask.ts';

/** Somebody who may sign: an operator who was not removed, by the certificate that is registered. */
export interface Signer extends NamedOperator {
  readonly yubikeySerial: number;
  readonly publicKey: KeyObject;
}

export interface OpenedStatement {
  readonly statement: OperatorStatement;
  /** In the order of the signatures: who asks, and who approves. */
  readonly signers: readonly Signer[];
}

/**
 * Opens a statement with one signature or two. Both are over the same bytes, because a general JWS has one payload.
 *
 * @param signers everybody who is an operator now
 * @returns why it counts for nothing
 */
export function openStatement(
  jws: string,
  { slug, signers }: { readonly slug: string; readonly signers: readonly Signer[] },
  now: number,
): OpenedStatement | string {
  const opened = open(jws);
  if (opened === undefined) return 'not a statement with signatures';
  if (opened.signatures.length > 2) return 'more than two signatures';
  const statement = parse(opened.payload);
  if (statement === undefined) return 'malformed';
  const found: Signer[] = [];
  for (const signature of opened.signatures) {
    const { header, x5c } = signature;
    const signer = signers.find(({ kid }) => kid === header.kid);
    if (signer === undefined || header.jwk !== undefined || x5c.length > 0) return 'not by an operator of this slice';
    if (!signature.verify(signer.publicKey)) return `the signature of ${signer.name} is not over these bytes`;
    if (!mayAsk(signer.role, 'admin')) return `${signer.name} is ${signer.role}, and no admin`;
    found.push(signer);
  }
  const [first, second] = found;
  if (statement.slug !== slug) return 'for another customer';
  if (first?.name !== statement.operator) return 'the first signature is of somebody else than it says';
  if (second !== undefined && isSame(first, second)) return 'both signatures are of the same operator';
  const [issued, expires] = [Date.parse(statement.issuedAt), Date.parse(statement.expiresAt)];
  if (issued > now + CLOCK_WINDOW_MS) return 'made in the future';
  if (expires - issued > MAX_APPROVAL_MS) return 'valid for too long';
  if (expires <= now) return 'expired';
  return { statement, signers: found };
}

/** Two names with one key, or two keys in one YubiKey, are one person as far as anybody can know. */
const isSame = (one: Signer, other: Signer): boolean =>
  one.name === other.name || one.kid === other.kid || one.yubikeySerial === other.yubikeySerial;

function open(jws: string): OpenedGeneral | undefined {
  try {
    return openGeneral(jws, TYP.operatorStatement, MAX_STATEMENT);
  } catch (error) {
    if (error instanceof JoseError) return undefined;
    throw error;
  }
}

function parse(payload: Uint8Array): OperatorStatement | undefined {
  try {
    return parseMessage(operatorStatement, payload, MAX_STATEMENT, 'internal');
  } catch (error) {
    if (error instanceof KiwiError) return undefined;
    throw error;
  }
}
