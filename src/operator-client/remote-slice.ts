import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto';

import { base64url, digest } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { KiwiError } from '../core/errors.ts';
import { signCompact } from '../pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../pki/keys.ts';
import { keySigner } from '../pki/signer.ts';
import { MEDIA, PROTOCOL, TYP } from '../protocol/common.ts';
import { operatorAnswer, type OperatorRequest } from '../protocol/operator-request.ts';
import {
  OPERATOR_VERBS,
  type Arguments,
  type OperatorSlice,
  type OperatorVerb,
  type Result,
  type Verb,
} from '../protocol/operator-verbs.ts';
import { parseMessage } from '../protocol/parse.ts';
import { operatorHttp, type OperatorHttp } from './operator-http.ts';
import type { SignedIn } from './signed-in.ts';

export interface RemoteSlice extends OperatorSlice {
  /** Ends the session at the slice. */
  signOut(): Promise<void>;
}

/** A slice over the network, for somebody who is signed in. The caller closes it. @throws KiwiError `sign-in-needed` when it is over */
export function remoteSlice(session: SignedIn, clock: Clock): RemoteSlice {
  if (Date.parse(session.expiresAt) <= clock.now()) {
    throw new KiwiError('sign-in-needed', {
      detail: `the sign-in of ${session.operator} ended at ${session.expiresAt}`,
    });
  }
  const http = operatorHttp(session.gateway, session.root, session.customer.slug);
  const key = createPrivateKey(session.sessionKey);
  return {
    async ask<V extends Verb>(verb: V, ...[given]: [given?: Arguments<V>]) {
      const row: OperatorVerb = OPERATOR_VERBS[verb];
      const parsed = row.arguments.safeParse(given ?? {});
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        throw new KiwiError('usage', { detail: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` });
      }
      const answer = await send({ http, session, key, clock }, verb, JSON.stringify(parsed.data), row.maxResult);
      const result = row.result.safeParse(answer);
      if (result.success) return result.data as Result<V>;
      const [issue] = result.error.issues;
      throw new KiwiError('slice-answer-invalid', { detail: `${verb}: ${issue?.path.join('.') ?? ''}` });
    },
    async signOut() {
      await send({ http, session, key, clock }, 'session.end', '{}', 1024);
    },
    close: () => http.close(),
  };
}

interface Way {
  readonly http: OperatorHttp;
  readonly session: SignedIn;
  readonly key: KeyObject;
  readonly clock: Clock;
}

/** Each request is signed by the session's key, with the hash of its arguments, a nonce and the time. */
async function send(
  { http, session, key, clock }: Way,
  verb: string,
  given: string,
  maxResult: number,
): Promise<unknown> {
  const message: OperatorRequest = {
    ...{ protocol: PROTOCOL, slug: session.customer.slug, sessionId: session.sessionId, verb },
    ...{ nonce: base64url(randomBytes(16)), timestamp: new Date(clock.now()).toISOString() },
    argumentsHash: digest(given),
  };
  const request = await signCompact({
    typ: TYP.operatorRequest,
    payload: JSON.stringify(message),
    signer: keySigner(key),
    kid: jwkThumbprint(publicJwk(key)),
  });
  const body = JSON.stringify({ request, arguments: given });
  // JSON of a text may be longer than the text; `{"result":…}` is around it.
  const bytes = await http.post('/v1/operator/requests', MEDIA.json, body, 2 * maxResult + 1024);
  return parseMessage(operatorAnswer, bytes, 2 * maxResult + 1024, 'slice-answer-invalid').result;
}
