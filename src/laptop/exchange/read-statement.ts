import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { JoseError, openCompact } from '../../pki/jws.ts';
import { enrollmentNames } from '../../pki/roles.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { statement as schema } from '../../protocol/statement.ts';
import { openChallenge } from './open-challenge.ts';

/** Whom the signature is for, as its bytes say it. */
export interface StatementReading {
  readonly customer: string;
  /** Six digits, also shown by the operator's session listing. */
  readonly code: string;
}

/**
 * What the holder of a YubiKey looks at before it signs bytes that another process has made: they are a statement of kiwi/1, of this
 * very key, for the slice that the challenge comes from; and that slice is the one of the key's customer, under a root that the holder
 * knows itself. So the key enrolls a laptop with its own customer, or signs nothing.
 *
 * @param data what is to be signed: header and payload of a JWS (RFC 7515, section 5.1)
 * @throws KiwiError `lent-key-misused`, and those of `openChallenge`
 */
export function readStatement(
  data: Buffer,
  about: {
    readonly hello: Buffer;
    readonly challenge: string;
    readonly key: { readonly serial: number; readonly slot: string; readonly certificate: Certificate };
    readonly roots: readonly Certificate[];
    readonly now: number;
  },
): StatementReading {
  const { certificate, serial, slot } = about.key;
  const { payload, x5c } = openSigningInput(data);
  const statement = parseMessage(schema, payload, LIMITS.statement, 'lent-key-misused');
  const slug = enrollmentNames(certificate.sanUris)?.slug ?? '';
  const opened = openChallenge({
    ...{ jws: about.challenge, helloBytes: about.hello, slug, keyCertificate: certificate },
    ...{ roots: about.roots, now: about.now },
  });
  const { customer, sessionId } = opened.challenge;
  if (x5c[0]?.der.equals(certificate.der) !== true) refuse('it names another key than the one that is lent');
  if (statement.yubikey.serial !== serial || statement.yubikey.slot !== slot) refuse('it is of another YubiKey');
  if (statement.slug !== customer.slug) refuse('it is for another customer');
  if (statement.sessionId !== sessionId || statement.challengeHash !== base64url(opened.hash)) {
    refuse('it belongs to another session than the challenge');
  }
  return { customer: customer.name, code: opened.code };
}

function openSigningInput(data: Buffer): ReturnType<typeof openCompact> {
  try {
    // A compact JWS but for its third part, which is what is asked for.
    return openCompact(`${data.toString('latin1')}.AA`, TYP.statement);
  } catch (error) {
    if (error instanceof JoseError) return refuse(`it is no statement of kiwi/1: ${error.message}`);
    throw error;
  }
}

function refuse(detail: string): never {
  throw new KiwiError('lent-key-misused', { detail });
}
