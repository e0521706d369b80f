import type { KeyObject } from 'node:crypto';

import { base64url, digest } from '../../src/core/bytes.ts';
import { signGeneral, type KeyReference } from '../../src/pki/jws.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { TYP } from '../../src/protocol/common.ts';
import {
  chain,
  changed,
  kidOf,
  makeRefused,
  offTheCurve,
  sign,
  withAlteredSignature,
  withCriticalExtension,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
  type Recipe,
} from './bend.ts';
import { keepingSigner, textAt } from './keep.ts';
import { NOW, OTHER_ID, type Certificates } from './make-certificates.ts';
import { testKey } from './test-keys.ts';

const minutes = (count: number): string => new Date(NOW.getTime() + count * 60_000).toISOString();

/** What an operator's program refuses before it asks for the PIN. */
export function makeRefusedOperatorChallenges(c: Certificates, challenge: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(challenge, 'payload'), textAt(challenge, 'jws')];
  const gateway = { typ: TYP.operatorChallenge, key: testKey('gateway'), payload };
  const by = (members: object) => (kept: string) =>
    sign({ ...gateway, ...chain(c.gateway, c.intermediate), ...members }, kept);
  const saying = (members: object) => by({ payload: changed(payload, members) });
  const recipes: Recipe[] = [
    ['typ of a challenge to a laptop', 'slice-not-proven', by({ typ: TYP.challenge })],
    ['alg none, without signature', 'slice-not-proven', () => withoutAlgorithm(jws)],
    ['signature altered', 'slice-not-proven', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'slice-not-proven', () => withSegment(jws, 2, withUpperS)],
    [
      'signed by an operator',
      'slice-not-proven',
      by({ key: testKey('operator'), ...chain(c.operator, c.intermediate) }),
    ],
    ['chain to another root', 'slice-root-unknown', by(chain(c.gateway, c.otherIntermediate))],
    ['by the customer’s next intermediate', 'key-certificate-replaced', by(chain(c.nextGateway, c.nextIntermediate))],
    ['by another customer’s intermediate', 'slice-not-proven', by(chain(c.betaGateway, c.betaIntermediate))],
    ['of another customer’s slug', 'slice-not-proven', saying({ customer: { slug: 'beta', name: 'Acme GmbH' } })],
    ['of another customer’s name', 'slice-not-proven', saying({ customer: { slug: 'acme', name: 'Beta School' } })],
    ['answer to another hello', 'slice-not-proven', saying({ helloHash: digest('another hello') })],
    ['unknown member', 'slice-not-proven', by({ payload: withUnknownMember(payload) })],
    ['unknown critical extension', 'slice-not-proven', by({ payload: withCriticalExtension(payload) })],
    ['member twice', 'slice-not-proven', by({ payload: withMemberTwice(payload) })],
  ];
  return makeRefused(
    'Each is operator-challenge.json bent in one way. The program of the operator of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the slice refuses when somebody signs in. */
export function makeRefusedOperatorSignIns(c: Certificates, signIn: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(signIn, 'payload'), textAt(signIn, 'jws')];
  const honest = { typ: TYP.operatorSignIn, key: testKey('operator'), payload };
  const by = (members: object) => (kept: string) => sign({ ...honest, x5c: [c.operator.der], ...members }, kept);
  const saying = (members: object) => by({ payload: changed(payload, members) });
  const recipes: Recipe[] = [
    ['typ of a request', 'request-malformed', by({ typ: TYP.operatorRequest })],
    ['alg none, without signature', 'request-malformed', () => withoutAlgorithm(jws)],
    ['signature altered', 'sign-in-refused', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'sign-in-refused', () => withSegment(jws, 2, withUpperS)],
    ['by another key than the certificate’s', 'sign-in-refused', by({ key: testKey('second-operator') })],
    ['two certificates', 'sign-in-refused', by({ x5c: [c.operator.der, c.intermediate.der] })],
    [
      'key named by its thumbprint only',
      'sign-in-refused',
      (kept) => sign({ ...honest, kid: kidOf(honest.key) }, kept),
    ],
    ['certificate and thumbprint', 'sign-in-refused', by({ kid: kidOf(honest.key) })],
    ['by a key that enrolls laptops', 'operator-unknown', by({ key: testKey('yubikey'), x5c: [c.enrollmentKey.der] })],
    ['by a laptop', 'operator-unknown', by({ key: testKey('device'), x5c: [c.device.der] })],
    ['by the same operator of another customer', 'operator-unknown', by({ x5c: [c.betaOperator.der] })],
    ['certificate with another role than is registered', 'operator-unknown', by({ x5c: [c.lowerOperator.der] })],
    [
      'by an operator who is not registered',
      'operator-unknown',
      by({ key: testKey('second-operator'), x5c: [c.secondOperator.der] }),
    ],
    ['for another customer', 'sign-in-refused', saying({ slug: 'beta' })],
    ['for a challenge that never was', 'sign-in-refused', saying({ challengeId: OTHER_ID })],
    ['for other bytes of the challenge', 'sign-in-refused', saying({ challengeHash: digest('another challenge') })],
    ['another session key', 'sign-in-refused', saying({ sessionKey: publicJwk(testKey('session')) })],
    [
      'session key that is no point of the curve',
      'request-malformed',
      saying({ sessionKey: offTheCurve(testKey('operator-session')) }),
    ],
    ['no hours', 'request-malformed', saying({ hours: 0 })],
    ['nine hours', 'request-malformed', saying({ hours: 9 })],
    ['hours as text', 'request-malformed', saying({ hours: '8' })],
    ['eleven minutes behind', 'clock-skew', saying({ timestamp: minutes(-11) })],
    ['eleven minutes ahead', 'clock-skew', saying({ timestamp: minutes(11) })],
    ['unknown member', 'request-malformed', by({ payload: withUnknownMember(payload) })],
    ['unknown critical extension', 'request-malformed', by({ payload: withCriticalExtension(payload) })],
    ['member twice', 'request-malformed', by({ payload: withMemberTwice(payload) })],
  ];
  return makeRefused(
    'Each is operator-sign-in.json bent in one way. The slice of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the slice refuses of somebody who is signed in. That a request is taken once is in no file: it is the good one again. */
export function makeRefusedOperatorRequests(request: object, previous: unknown): Promise<object> {
  const [payload, jws, given] = [textAt(request, 'payload'), textAt(request, 'jws'), textAt(request, 'arguments')];
  const key = testKey('operator-session');
  const other = testKey('session');
  const body = (text: string, more: object = {}): string =>
    JSON.stringify({ request: text, arguments: given, ...more });
  const keptJws = (kept: string): string => (kept === '' ? '' : textAt(JSON.parse(kept), 'request'));
  const honest = { typ: TYP.operatorRequest, key, kid: kidOf(key), payload };
  const by = (members: object) => async (kept: string) => body(await sign({ ...honest, ...members }, keptJws(kept)));
  const saying = (members: object) => by({ payload: changed(payload, members) });
  const recipes: Recipe[] = [
    ['typ of a statement', 'request-malformed', by({ typ: TYP.operatorStatement })],
    ['alg none, without signature', 'request-malformed', () => body(withoutAlgorithm(jws))],
    ['signature altered', 'sign-in-refused', () => body(withSegment(jws, 2, withAlteredSignature))],
    ['signature with s in the upper half', 'sign-in-refused', () => body(withSegment(jws, 2, withUpperS))],
    ['by another key', 'sign-in-refused', by({ key: other, kid: kidOf(other) })],
    ['by another key with the thumbprint of the right one', 'sign-in-refused', by({ key: other })],
    ['with its key in the header', 'sign-in-refused', by({ jwk: publicJwk(key) })],
    [
      'other arguments than were signed',
      'sign-in-refused',
      () => body(jws, { arguments: given.replace('train', 'bus') }),
    ],
    ['a space more in the arguments', 'sign-in-refused', () => body(jws, { arguments: `${given} ` })],
    ['for another customer', 'sign-in-refused', saying({ slug: 'beta' })],
    ['in a session that never was', 'sign-in-needed', saying({ sessionId: OTHER_ID })],
    ['nonce of 15 bytes', 'request-malformed', saying({ nonce: base64url(Buffer.alloc(15)) })],
    ['verb in capitals', 'request-malformed', saying({ verb: 'YUBIKEY.BURN' })],
    ['verb that does not exist', 'not-found', saying({ verb: 'yubikey.copy' })],
    ['eleven minutes behind', 'clock-skew', saying({ timestamp: minutes(-11) })],
    ['eleven minutes ahead', 'clock-skew', saying({ timestamp: minutes(11) })],
    ['unknown member', 'request-malformed', by({ payload: withUnknownMember(payload) })],
    ['unknown critical extension', 'request-malformed', by({ payload: withCriticalExtension(payload) })],
    ['member twice', 'request-malformed', by({ payload: withMemberTwice(payload) })],
    ['member of the body that nobody knows', 'request-malformed', () => body(jws, { verb: 'yubikey.burn' })],
    ['arguments as an object', 'request-malformed', () => body(jws, { arguments: JSON.parse(given) as object })],
  ];
  return makeRefused(
    'Each is operator-request.json bent in one way. The slice of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

interface General {
  payload: string;
  signatures: { protected: string; signature: string }[];
}

/** What is the approval of two operators for nobody. */
export function makeRefusedOperatorStatements(statement: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(statement, 'payload'), textAt(statement, 'jws')];
  const [anna, bob] = [testKey('operator'), testKey('second-operator')];
  const one = (key: KeyObject, more: object = {}): { key: KeyObject; typ: string } & KeyReference => ({
    ...{ key, typ: TYP.operatorStatement, kid: kidOf(key), ...more },
  });
  const both = [one(anna), one(bob)];
  const signed =
    (by: readonly ({ key: KeyObject; typ: string } & KeyReference)[], text = payload) =>
    (kept: string): Promise<string> => {
      const before: unknown = kept === '' ? {} : JSON.parse(kept);
      const signatures = by.map(({ key, ...rest }, index) => ({
        ...rest,
        signer: keepingSigner(key, textAt(before, 'signatures', index, 'signature')),
      }));
      return signGeneral({ payload: text, signatures });
    };
  const saying = (members: object) => signed(both, changed(payload, members));
  /** A change of the second signature, after it was made. */
  const second = (change: (compact: string) => string) => (): string => {
    const general = JSON.parse(jws) as General;
    const [, entry] = general.signatures;
    if (entry === undefined) throw new TypeError('two signatures');
    [entry.protected = '', , entry.signature = ''] = change(`${entry.protected}..${entry.signature}`).split('.');
    return JSON.stringify(general);
  };
  const refused = (name: string, make: Recipe[2]): Recipe => [name, 'approval-refused', make];
  const recipes: Recipe[] = [
    refused('typ of a sign-in', signed([one(anna), one(bob, { typ: TYP.operatorSignIn })])),
    refused('second signature alg none, empty', second(withoutAlgorithm)),
    refused(
      'second signature altered',
      second((compact) => withSegment(compact, 2, withAlteredSignature)),
    ),
    refused(
      'second signature with s in the upper half',
      second((compact) => withSegment(compact, 2, withUpperS)),
    ),
    refused('second signature over other bytes', async (kept) => {
      const other = changed(payload, { verb: 'audit.accept' });
      const { signatures } = JSON.parse(await signed(both, other)(kept)) as General;
      const general = JSON.parse(jws) as General;
      return JSON.stringify({ ...general, signatures: [general.signatures[0], signatures[1]] });
    }),
    refused('the same signature twice', signed([one(anna), one(anna)])),
    refused('second signature by an operator who is no admin', signed([one(anna), one(testKey('device'))])),
    refused('second signature by a key that enrolls laptops', signed([one(anna), one(testKey('yubikey'))])),
    refused(
      'by another key with the thumbprint of the right one',
      signed([one(anna), one(testKey('session'), { kid: kidOf(bob) })]),
    ),
    refused('with its key in the header', signed([one(anna), one(bob, { jwk: publicJwk(bob) })])),
    refused('a third signature', signed([...both, one(anna)])),
    refused('the first signature by whoever approves', signed([one(bob), one(anna)])),
    refused('in the name of the other one', saying({ operator: 'bob' })),
    refused('for another customer', saying({ slug: 'beta' })),
    refused('expired', saying({ issuedAt: minutes(-60), expiresAt: minutes(0) })),
    refused('for longer than a day', saying({ expiresAt: minutes(24 * 60 + 1) })),
    refused('made twelve minutes ahead', saying({ issuedAt: minutes(12) })),
    refused('unknown member', signed(both, withUnknownMember(payload))),
    refused('member twice', signed(both, withMemberTwice(payload))),
  ];
  return makeRefused(
    'Each is operator-statement.json bent in one way. The slice of the example takes it for no approval.',
    recipes,
    previous,
  );
}
