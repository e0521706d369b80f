import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto';
import { request as httpsRequest } from 'node:https';

import { base64url, digest } from '../../../../src/core/bytes.ts';
import type { SignedIn } from '../../../../src/operator-client/signed-in.ts';
import { signCompact, type KeyReference } from '../../../../src/pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import type { ServedSlice } from './served-slice.ts';

/** What the API answers: the code of its refusal, or `ok`. */
export interface RawAnswer {
  readonly code: string;
  readonly detail?: string;
  readonly body: string;
}

/** Sends bytes to the API as they are. @param length what the header says of them, where it is not true */
export function post(
  slice: ServedSlice,
  path: string,
  body: string,
  { type = MEDIA.json, length = Buffer.byteLength(body) }: { type?: string; length?: number } = {},
): Promise<RawAnswer> {
  const { config, identity } = slice;
  const to = { host: '127.0.0.1', port: config.operatorApi.port, ca: identity.mspRoot.pem, agent: false };
  const headers = { 'content-type': type, 'content-length': length };
  return new Promise((resolve, reject) => {
    const sent = httpsRequest({ ...to, path, method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        sent.destroy();
        const text = Buffer.concat(chunks).toString();
        resolve(
          response.statusCode === 200
            ? { code: 'ok', body: text }
            : { ...(JSON.parse(text) as { code: string; detail?: string }), body: text },
        );
      });
    });
    sent.on('error', reject);
    if (length === Buffer.byteLength(body)) sent.end(body);
    else sent.flushHeaders();
  });
}

/** In what a request differs from an honest one. */
export interface Bent extends Omit<KeyReference, 'kid'> {
  /** Members of the signed message. */
  readonly said?: Readonly<Record<string, unknown>>;
  readonly arguments?: string;
  readonly key?: KeyObject;
  readonly kid?: string;
  readonly typ?: string;
  /** The text of the message, before it is signed. */
  readonly payload?: (text: string) => string;
  /** The JWS, after it was signed. */
  readonly jws?: (text: string) => string;
  /** The arguments, after their hash was signed. */
  readonly given?: string;
}

/** The body of a request as the program sends it, but for what is bent. */
export async function bodyOf(
  slice: ServedSlice,
  session: SignedIn,
  verb: string,
  given: object,
  bent: Bent = {},
): Promise<string> {
  const text = bent.arguments ?? JSON.stringify(given);
  const own = createPrivateKey(session.sessionKey);
  const message = {
    ...{ protocol: PROTOCOL, slug: session.customer.slug, sessionId: session.sessionId, verb },
    ...{ nonce: base64url(randomBytes(16)), timestamp: new Date(slice.clock.now()).toISOString() },
    ...{ argumentsHash: digest(text), ...bent.said },
  };
  const payload = (bent.payload ?? ((same: string) => same))(JSON.stringify(message));
  const { x5c, jwk, typ = TYP.operatorRequest } = bent;
  const jws = await signCompact({
    ...{ typ, payload, signer: keySigner(bent.key ?? own), kid: bent.kid ?? jwkThumbprint(publicJwk(own)) },
    ...(x5c === undefined ? {} : { x5c }),
    ...(jwk === undefined ? {} : { jwk }),
  });
  return JSON.stringify({ request: (bent.jws ?? ((same: string) => same))(jws), arguments: bent.given ?? text });
}
