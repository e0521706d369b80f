import { Readable } from 'node:stream';

import { generateP256 } from '../../../../src/pki/keys.ts';
import { LIMITS, MEDIA } from '../../../../src/protocol/common.ts';
import type { Answer } from '../../../world/protocol-client.ts';
import type { Attack, Siege } from '../siege.ts';

const ENROLLMENTS = '/v1/enrollments';

const request = (
  name: string,
  code: Attack['code'],
  send: (siege: Siege) => Promise<Answer>,
  why?: RegExp,
): Attack => ({
  name,
  code,
  ...(why === undefined ? {} : { why }),
  attack: async (siege) => ({ answer: await send(siege) }),
});

/** A hello whose text is bent. */
const text = (name: string, bend: (hello: string) => string | Buffer, why: RegExp): Attack =>
  request(
    name,
    'request-malformed',
    ({ client }) => {
      const bytes = bend(client.helloFor(generateP256()).toString());
      return client.sendHello(Buffer.from(bytes));
    },
    why,
  );

const large = (name: string, path: string, method: 'POST' | 'PUT', bytes: number, type: string): Attack[] => [
  request(`${name} of ${bytes} bytes`, 'request-too-large', ({ client }) =>
    client.send(method, path, Buffer.alloc(bytes, 0x20), type),
  ),
  request(`${name} of ${bytes} bytes in chunks`, 'request-too-large', ({ client }) =>
    client.send(method, path, Readable.from([Buffer.alloc(bytes - 1, 0x20), Buffer.alloc(1, 0x20)]), type),
  ),
];

const id = '3f1c1f5e-0b6e-4e1e-9d53-0d7d3f5b8a11';
const spaced = (length: number): string => ' '.repeat(length);

export const requestAttacks: readonly Attack[] = [
  ...large('a hello', ENROLLMENTS, 'POST', LIMITS.hello + 1, MEDIA.json),
  ...large('a statement', `${ENROLLMENTS}/${id}/statement`, 'PUT', LIMITS.statement + 1, MEDIA.jose),
  ...large('a confirmation', `/v1/devices/${id}/confirm`, 'POST', LIMITS.confirm + 1, MEDIA.jose),
  text('no JSON', () => 'hello', /not JSON/),
  text('an empty body', () => ' ', /not JSON/),
  text('half a hello', (hello) => hello.slice(0, 40), /not JSON/),
  text('a hello with more behind it', (hello) => `${hello}{}`, /not JSON/),
  text('a hello with a comment', (hello) => `${hello}/* */`, /not JSON/),
  text('a member twice', (hello) => hello.replace('{', '{"agentVersion":"9.9.9",'), /duplicate/),
  text(
    'a member twice, once written with an escape',
    (hello) => hello.replace('{', '{"agent\\u0056ersion":"9.9.9",'),
    /duplicate/,
  ),
  text('a member that the schema does not have', (hello) => hello.replace('{', '{"admin":true,'), /unrecognized_keys/),
  text('__proto__', (hello) => hello.replace('{', '{"__proto__":{"admin":true},'), /__proto__/),
  text('a list', (hello) => `[${hello}]`, /invalid_type/),
  text('nesting of a thousand levels', () => `${'['.repeat(1000)}${']'.repeat(1000)}`, /deeper/),
  text('text that is not UTF-8', (hello) => Buffer.concat([Buffer.from(hello), Buffer.of(0xff)]), /UTF-8/),
  text('a byte order mark', (hello) => `\u{feff}${hello}`, /not JSON/),
  text('a number in place of text', (hello) => hello.replace('"0.1.0"', '1'), /agentVersion/),
  text(
    'an id in upper case',
    (hello) => hello.replace(/"attemptId":"[^"]+"/, (id_) => id_.toUpperCase()),
    /unrec|attemptId/,
  ),
  request('a hello as JOSE', 'request-malformed', ({ client }) =>
    client.send('POST', ENROLLMENTS, client.helloFor(generateP256()), MEDIA.jose),
  ),
  request('a hello as a form', 'request-malformed', ({ client }) =>
    client.send('POST', ENROLLMENTS, client.helloFor(generateP256()), 'application/x-www-form-urlencoded'),
  ),
  request('a hello without a type', 'request-malformed', ({ client }) =>
    client.send('POST', ENROLLMENTS, client.helloFor(generateP256()), undefined),
  ),
  request('a statement as JSON', 'request-malformed', ({ client, victim }) =>
    client.send('PUT', `${ENROLLMENTS}/${victim.grant.sessionId}/statement`, '{}', MEDIA.json),
  ),
  request('GET in place of POST', 'not-found', ({ client }) => client.send('GET', ENROLLMENTS, '', undefined)),
  request('PUT in place of POST', 'not-found', ({ client }) => client.send('PUT', ENROLLMENTS, '{}', MEDIA.json)),
  request('a path that is not there', 'not-found', ({ client }) => client.send('GET', '/v1/devices', '', undefined)),
  request("step-ca's paths", 'not-found', ({ client }) => client.send('POST', '/1.0/sign', '{}', MEDIA.json)),
  request('a package that is not there', 'not-found', ({ client }) =>
    client.send('GET', '/v1/packages/AAAA', '', undefined),
  ),
  request('a way out of the packages', 'not-found', ({ client }) =>
    client.send('GET', '/v1/packages/..%2f..%2fetc%2fpasswd', '', undefined),
  ),
  request('a path that cannot be decoded', 'request-malformed', ({ client }) =>
    client.send('GET', '/v1/packages/%ff%fe%', '', undefined),
  ),
  request('a confirmation of spaces', 'request-malformed', ({ client }) =>
    client.send('POST', `/v1/devices/${id}/confirm`, spaced(100), MEDIA.jose),
  ),
];
