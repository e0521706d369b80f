import { base64url } from '../../src/core/bytes.ts';
import {
  changed,
  makeRefused,
  withCriticalExtension,
  withMemberTwice,
  withUnknownMember,
  type Recipe,
} from './bend.ts';

/** What the gateway answers with no challenge. */
export function makeRefusedHellos(hello: { bytes: string }, previous: unknown): Promise<object> {
  const { bytes } = hello;
  const saying =
    (members: object): Recipe[2] =>
    () =>
      changed(bytes, members);
  const later = { protocol: 'kiwi/2', attemptId: 7, color: 'green' };
  const recipes: Recipe[] = [
    ['later protocol with other members', 'protocol-unsupported', () => JSON.stringify(later)],
    ['protocol in upper case', 'protocol-unsupported', saying({ protocol: 'KIWI/1' })],
    ['protocol that is no text', 'request-malformed', saying({ protocol: 1 })],
    ['later protocol, member twice', 'request-malformed', () => withMemberTwice(JSON.stringify(later))],
    ['version below the policy’s', 'agent-too-old', saying({ agentVersion: '0.0.99999' })],
    ['version with a prefix', 'request-malformed', saying({ agentVersion: 'v0.1.0' })],
    ['version in digits that are not ASCII', 'request-malformed', saying({ agentVersion: '0.١.0' })],
    ['version with a line feed at its end', 'request-malformed', saying({ agentVersion: '0.1.0\n' })],
    ['unknown member', 'request-malformed', () => withUnknownMember(bytes)],
    ['member twice', 'request-malformed', () => withMemberTwice(bytes)],
    [
      'member twice, once escaped',
      'request-malformed',
      () => bytes.replace('{', String.raw`{"\u0070rotocol":"kiwi/1",`),
    ],
    ['member __proto__', 'request-malformed', () => bytes.replace('{', '{"__proto__":{},')],
    ['critical extension', 'request-malformed', () => withCriticalExtension(bytes)],
    [
      'extension without critical',
      'request-malformed',
      saying({ extensions: { 'example.color': { value: 'green' } } }),
    ],
    [
      'extension with a name in upper case',
      'request-malformed',
      saying({ extensions: { Color: { critical: false, value: 'green' } } }),
    ],
    ['seventeen levels', 'request-malformed', saying({ extensions: { deep: { critical: false, value: nested(14) } } })],
    ['byte order mark', 'request-malformed', () => `\uFEFF${bytes}`],
    ['no JSON at its end', 'request-malformed', () => `${bytes},`],
    ['UUID in braces', 'request-malformed', saying({ attemptId: '{0d9c1f5e-6b1a-4c57-9c1d-6f0f1c2a7e11}' })],
    ['UUID without hyphens', 'request-malformed', saying({ attemptId: '0d9c1f5e6b1a4c579c1d6f0f1c2a7e11' })],
    ['nonce of 31 bytes', 'request-malformed', saying({ clientNonce: base64url(Buffer.alloc(31, 1)) })],
    ['nonce with unused bits', 'request-malformed', saying({ clientNonce: `${'A'.repeat(42)}B` })],
  ];
  return makeRefused('Each is hello.json bent in one way. The gateway refuses it with `code`.', recipes, previous);
}

const nested = (levels: number): unknown[] => (levels === 1 ? [] : [nested(levels - 1)]);
