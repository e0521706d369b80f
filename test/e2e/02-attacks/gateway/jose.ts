import { base64url } from '../../../../src/core/bytes.ts';
import { makeAuthority } from '../forge.ts';
import { signingInput } from '../../../../src/pki/jws.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { keySigner, type Signer } from '../../../../src/pki/signer.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { Bend, Exchange } from '../../../world/protocol-client.ts';
import type { Attack, Siege } from '../siege.ts';

interface General {
  readonly payload: string;
  readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
}
type Header = Record<string, unknown>;

const decode = (text: string): Header => JSON.parse(Buffer.from(text, 'base64url').toString()) as Header;
const encode = (value: unknown): string => base64url(Buffer.from(JSON.stringify(value)));

/** Changes one protected header and signs it again: all is genuine but the header. */
async function withHeader(
  jws: string,
  which: 0 | 1,
  signer: Signer,
  change: (header: Header) => Header,
): Promise<string> {
  const { payload, signatures } = JSON.parse(jws) as General;
  const changed = await Promise.all(
    signatures.map(async (entry, index) => {
      if (index !== which) return entry;
      const header = encode(change(decode(entry.protected)));
      return { protected: header, signature: base64url(await signer.sign(signingInput(header, payload))) };
    }),
  );
  return JSON.stringify({ payload, signatures: changed });
}

const edit =
  (change: (jws: General) => unknown): NonNullable<Bend['jws']> =>
  (jws) =>
    JSON.stringify(change(JSON.parse(jws) as General));

/** A segment of a compact JWE or JWS with one bit of its middle flipped. */
const flipSegment =
  (index: number) =>
  (text: string): string =>
    text
      .split('.')
      .map((segment, at) => {
        if (at !== index) return segment;
        const bytes = Buffer.from(segment, 'base64url');
        const middle = Math.floor(bytes.length / 2);
        bytes.writeUInt8((bytes[middle] ?? 0) ^ 1, middle);
        return base64url(bytes);
      })
      .join('.');

const jweHeader =
  (change: (header: Header) => Header): NonNullable<Bend['jwe']> =>
  (jwe) => {
    const [protectedHeader = '', ...rest] = jwe.split('.');
    return [encode(change(decode(protectedHeader))), ...rest].join('.');
  };

const flippedSignature = (which: 0 | 1): NonNullable<Bend['jws']> =>
  edit(({ payload, signatures }) => ({
    payload,
    signatures: signatures.map((entry, index) => {
      const bytes = Buffer.from(entry.signature, 'base64url');
      bytes.writeUInt8((bytes[0] ?? 0) ^ 1, 0);
      return index === which ? { ...entry, signature: base64url(bytes) } : entry;
    }),
  }));

const bent = (
  name: string,
  code: Attack['code'],
  bend: Bend | ((siege: Siege) => Bend | Promise<Bend>),
  why?: RegExp,
): Attack => ({
  name,
  code,
  ...(why === undefined ? {} : { why }),
  attack: async (siege) => siege.attempt(typeof bend === 'function' ? await bend(siege) : bend),
});

/** A header of the YubiKey's or the device's signature, properly signed. */
const header = (
  name: string,
  code: Attack['code'],
  which: 0 | 1,
  change: (header: Header) => Header,
  why?: RegExp,
): Attack => ({
  name: `${name} in the header of ${which === 0 ? "the YubiKey's" : "the device key's"} signature`,
  code,
  ...(why === undefined ? {} : { why }),
  attack: async (siege) => {
    const exchange = await siege.client.begin(siege.key);
    const signer = which === 0 ? siege.key.signer : keySigner(exchange.deviceKey);
    return resealed(siege, exchange, (jws) => withHeader(jws, which, signer, change));
  },
});

/** Seals a statement whose JWS is changed by something that takes its time. */
async function resealed(
  siege: Siege,
  exchange: Exchange,
  change: (jws: string) => Promise<string>,
): ReturnType<Siege['send']> {
  const statement = await siege.client.statementOf(siege.key, exchange);
  let jws = '';
  await siege.client.seal(siege.key, exchange, statement, { jws: (text) => (jws = text) });
  const changed = await change(jws);
  return siege.send(exchange, await siege.client.seal(siege.key, exchange, statement, { jws: () => changed }));
}

const signatures: readonly Attack[] = [
  bent("a bit of the YubiKey's signature", 'key-signature-refused', { jws: flippedSignature(0) }, /^signature$/),
  bent("a bit of the device key's signature", 'device-signature-refused', { jws: flippedSignature(1) }, /^signature$/),
  bent(
    'one signature alone',
    'request-malformed',
    { jws: edit((jws) => ({ ...jws, signatures: jws.signatures.slice(0, 1) })) },
    /two signatures/,
  ),
  bent(
    'a third signature',
    'request-malformed',
    { jws: edit((jws) => ({ ...jws, signatures: [...jws.signatures, jws.signatures[0]] })) },
    /two signatures/,
  ),
  bent('the signatures in the other order', 'key-signature-refused', {
    jws: edit((jws) => ({ ...jws, signatures: jws.signatures.toReversed() })),
  }),
  bent(
    'the same signature twice',
    'device-signature-refused',
    { jws: edit((jws) => ({ ...jws, signatures: [jws.signatures[0], jws.signatures[0]] })) },
    /no device key/,
  ),
  bent('an unprotected header', 'request-malformed', {
    jws: edit((jws) => ({
      ...jws,
      signatures: jws.signatures.map((entry) => ({ ...entry, header: { alg: 'none' } })),
    })),
  }),
  bent('a second payload beside the first', 'request-malformed', {
    jws: (text) => text.replace('{"payload":', '{"payload":"e30","payload":'),
  }),
  bent(
    'another device key than the hello committed to',
    'device-signature-refused',
    () => ({ deviceSigner: generateP256() }),
    /committed/,
  ),
  {
    name: "the committed device key's name with another key's signature",
    code: 'device-signature-refused',
    why: /^signature$/,
    attack: async (siege) => {
      const another = keySigner(generateP256());
      return resealed(siege, await siege.client.begin(siege.key), (jws) => withHeader(jws, 1, another, (h) => h));
    },
  },
  bent('a device key that is no point of the curve', 'request-malformed', {
    deviceJwk: { kty: 'EC', crv: 'P-256', x: base64url(Buffer.alloc(32, 1)), y: base64url(Buffer.alloc(32, 1)) },
  }),
];

const headers: readonly Attack[] = [
  header('alg none', 'request-malformed', 0, (h) => ({ ...h, alg: 'none' })),
  header('alg HS256', 'request-malformed', 0, (h) => ({ ...h, alg: 'HS256' })),
  header('alg RS256 for an EC key', 'key-signature-refused', 0, (h) => ({ ...h, alg: 'RS256' }), /^signature$/),
  header('alg ES384 for a P-256 key', 'device-signature-refused', 1, (h) => ({ ...h, alg: 'ES384' }), /^signature$/),
  header('crit', 'request-malformed', 0, (h) => ({ ...h, crit: ['b64'], b64: true })),
  header('b64 false', 'request-malformed', 1, (h) => ({ ...h, b64: false })),
  header('jku', 'request-malformed', 0, (h) => ({ ...h, jku: 'https://mallory.example/keys' })),
  header('x5u', 'request-malformed', 0, (h) => ({ ...h, x5u: 'https://mallory.example/certificate' })),
  header('no typ', 'request-malformed', 0, ({ typ: _, ...rest }) => rest),
  header('the typ of a confirmation', 'request-malformed', 0, (h) => ({ ...h, typ: TYP.confirm }), /another typ/),
  header('the typ of a challenge', 'request-malformed', 1, (h) => ({ ...h, typ: TYP.challenge }), /another typ/),
  header('no certificate', 'key-signature-refused', 0, ({ x5c: _, ...rest }) => rest, /no certificate/),
  header(
    'a jwk beside the certificate',
    'key-signature-refused',
    0,
    (h) => ({ ...h, jwk: publicJwk(generateP256()) }),
    /no certificate/,
  ),
  header('kid in place of jwk', 'device-signature-refused', 1, ({ jwk: _, ...rest }) => ({
    ...rest,
    kid: base64url(Buffer.alloc(32)),
  })),
  header('the private part of the key', 'request-malformed', 1, (h) => ({
    ...h,
    jwk: { ...(h['jwk'] as object), d: base64url(Buffer.alloc(32, 1)) },
  })),
  header('four certificates', 'request-malformed', 0, (h) => {
    const [leaf = ''] = h['x5c'] as string[];
    return { ...h, x5c: [leaf, leaf, leaf, leaf] };
  }),
];

const envelope: readonly Attack[] = [
  bent('a JWE to another key', 'statement-undecryptable', { recipient: publicJwk(generateP256()) }),
  ...(
    [
      ['the initialisation vector', 2],
      ['the ciphertext', 3],
      ['the tag', 4],
    ] as const
  ).map(([part, index]) => bent(`a bit of ${part} of the JWE`, 'statement-undecryptable', { jwe: flipSegment(index) })),
  bent('an ephemeral key that is no point of the curve', 'request-malformed', {
    jwe: jweHeader((h) => ({ ...h, epk: { ...(h['epk'] as object), y: base64url(Buffer.alloc(32, 1)) } })),
  }),
  bent('another ephemeral key', 'statement-undecryptable', {
    jwe: jweHeader((h) => ({ ...h, epk: publicJwk(generateP256()) })),
  }),
  bent('no encryption at all', 'request-malformed', { jwe: () => 'e30.e30.e30' }, /JWE/),
  bent('a shortened tag', 'request-malformed', { jwe: (text) => text.slice(0, -6) }),
  bent('another algorithm of the JWE', 'request-malformed', { jwe: jweHeader((h) => ({ ...h, alg: 'dir' })) }),
  bent('base64 with padding in the JWE', 'request-malformed', { jwe: (text) => `${text}=` }, /canonical/),
  bent('a sixth segment of the JWE', 'request-malformed', { jwe: (text) => `${text}.e30` }, /not a compact JWE/),
  bent('compression of the JWE', 'request-malformed', { jwe: jweHeader((h) => ({ ...h, zip: 'DEF' })) }),
  bent(
    'the typ of a grant on the JWE',
    'request-malformed',
    { jwe: jweHeader((h) => ({ ...h, typ: TYP.grantEncrypted })) },
    /another typ/,
  ),
  bent('something else inside the JWE', 'request-malformed', { jws: () => 'statement' }, /not JSON/),
  bent(
    'a certificate that is none in x5c',
    'request-malformed',
    () => ({ yubikeyX5c: [Buffer.from('certificate')] }),
    /no certificate/,
  ),
  bent("a stranger's certificate first in x5c, the genuine one behind it", 'key-chain-refused', async ({ key }) => ({
    yubikeyX5c: [(await makeAuthority({ cn: 'mallory' }, 0)).certificate.der, key.certificate.der],
  })),
];

/** What JOSE offers beyond kiwi/1, and what is not quite a signature or an envelope. */
export const joseAttacks: readonly Attack[] = [...signatures, ...headers, ...envelope];
