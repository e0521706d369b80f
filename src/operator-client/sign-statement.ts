import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import { KiwiError } from '../core/errors.ts';
import { JoseError, openGeneral, signGeneral } from '../pki/jws.ts';
import type { Signer } from '../pki/signer.ts';
import { PROTOCOL, TYP } from '../protocol/common.ts';
import { MAX_STATEMENT, operatorStatement, type OperatorStatement } from '../protocol/operator-statement.ts';
import type { Arguments, Verb } from '../protocol/operator-verbs.ts';
import { parseMessage } from '../protocol/parse.ts';

/** An operator's YubiKey, and whom it names. */
export interface OperatorKey {
  readonly name: string;
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly signer: Signer;
}

/** What one operator asks, for another one to approve within so many hours. @returns general JWS with one signature */
export function signStatement<V extends Verb>(
  wish: { readonly slug: string; readonly verb: V; readonly given: Arguments<V>; readonly hours: number },
  { name, kid, signer }: OperatorKey,
  now: number,
): Promise<string> {
  const content: OperatorStatement = {
    ...{ protocol: PROTOCOL, slug: wish.slug, id: randomUUID(), verb: wish.verb },
    arguments: z.json().parse(wish.given),
    operator: name,
    issuedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + wish.hours * 3_600_000).toISOString(),
  };
  const signatures = [{ typ: TYP.operatorStatement, signer, kid }];
  return signGeneral({ payload: JSON.stringify(content), signatures });
}

/** What is in a statement of another operator: what a person has to read before signing it. @throws KiwiError `slice-answer-invalid` */
export function readStatement(jws: string): { readonly statement: OperatorStatement; readonly payload: Buffer } {
  try {
    const { payload } = openGeneral(jws, TYP.operatorStatement, MAX_STATEMENT);
    return { statement: parseMessage(operatorStatement, payload, MAX_STATEMENT, 'slice-answer-invalid'), payload };
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('slice-answer-invalid', { detail: error.message, cause: error });
  }
}

const signed = z.object({ signatures: z.tuple([z.strictObject({ protected: z.string(), signature: z.string() })]) });

/** The second signature, over the same bytes. */
export async function signPayload(
  payload: Uint8Array,
  { kid, signer }: OperatorKey,
): Promise<{ protected: string; signature: string }> {
  const jws = await signGeneral({ payload, signatures: [{ typ: TYP.operatorStatement, signer, kid }] });
  return signed.parse(JSON.parse(jws)).signatures[0];
}
