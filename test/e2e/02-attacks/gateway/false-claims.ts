import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { base64url, digest, sha256 } from '../../../../src/core/bytes.ts';
import { makeCsr } from '../../../../src/pki/csr.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { fingerprintDigestInput, type Fingerprint } from '../../../../src/protocol/fingerprint.ts';
import type { Statement } from '../../../../src/protocol/statement.ts';
import { signConsent } from '../../../../src/slice/approvals/sign-consent.ts';
import { readSliceConfig } from '../../../../src/slice/config/slice-config.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { fingerprintOf } from '../../../world/protocol-client.ts';
import type { Attack, Siege } from '../siege.ts';

const hmac = (): string => base64url(sha256(randomBytes(8)));
const withDigest = (components: Fingerprint['components']): Fingerprint => ({
  algorithm: 'kiwi-fp/1',
  digest: digest(fingerprintDigestInput(components)),
  components,
});

type Claim = Pick<Attack, 'name' | 'code' | 'why' | 'prepare'> & {
  readonly claim: (statement: Statement, siege: Siege) => Statement;
  /** The laptop that states it, where it is one that the slice knows. */
  readonly machine?: (siege: Siege) => string;
};

/** Both keys sign it: what a dishonest laptop with a genuine YubiKey could say. */
const claimed = ({ claim, machine, ...attack }: Claim): Attack => ({
  ...attack,
  attack: (siege) => siege.attempt({ statement: (s) => claim(s, siege) }, siege.key, machine?.(siege)),
});

/** A CSR that must be made before the statement, for making one takes a while. */
const foreign = generateP256();
const foreignCsr = base64url(await makeCsr(foreign, 'test'));
const rsaCsr = base64url(await makeCsr(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'test'));
const lastByteFlipped = (text: string): string => {
  const bytes = Buffer.from(text, 'base64url');
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
  return base64url(bytes);
};

const binding: readonly Claim[] = [
  {
    name: 'another slug, signed by both keys',
    code: 'statement-mismatch',
    why: /^slug$/,
    claim: (s) => ({ ...s, slug: 'beta' }),
  },
  {
    name: 'another session, signed by both keys',
    code: 'statement-mismatch',
    why: /^sessionId$/,
    claim: (s, { victim }) => ({ ...s, sessionId: victim.grant.sessionId }),
  },
  {
    name: 'the hash of another challenge, signed by both keys',
    code: 'statement-mismatch',
    why: /^challengeHash$/,
    claim: (s, { victim }) => ({ ...s, challengeHash: base64url(victim.exchange.opened.hash) }),
  },
  { name: 'another protocol', code: 'request-malformed', claim: (s) => ({ ...s, protocol: 'kiwi/2' as 'kiwi/1' }) },
  {
    name: 'a field that the schema does not have',
    code: 'request-malformed',
    why: /unrecognized_keys/,
    claim: (s) => ({ ...s, role: 'administrator' }) as Statement,
  },
  {
    name: 'a CSR of another key',
    code: 'csr-refused',
    why: /for another key/,
    claim: (s) => ({ ...s, csr: foreignCsr }),
  },
  { name: 'an RSA CSR', code: 'csr-refused', claim: (s) => ({ ...s, csr: rsaCsr }) },
  {
    name: 'a CSR with a bad signature',
    code: 'csr-refused',
    claim: (s) => ({ ...s, csr: lastByteFlipped(s.csr) }),
  },
  {
    name: 'a CSR with bytes behind it',
    code: 'csr-refused',
    claim: (s) => ({ ...s, csr: base64url(Buffer.concat([Buffer.from(s.csr, 'base64url'), Buffer.of(0)])) }),
  },
  { name: 'something else as the CSR', code: 'csr-refused', claim: (s) => ({ ...s, csr: 'AAAA' }) },
  {
    name: 'a host name that is no DNS label',
    code: 'request-malformed',
    why: /host\.name/,
    claim: (s) => ({ ...s, host: { ...s.host, name: 'a.b;reboot' } }),
  },
];

const identity: readonly Claim[] = [
  {
    name: 'a digest that does not follow from the components',
    code: 'fingerprint-refused',
    why: /digest/,
    claim: (s) => ({ ...s, fingerprint: { ...s.fingerprint, digest: hmac() } }),
  },
  {
    name: 'a fingerprint of one identity component',
    code: 'fingerprint-refused',
    why: /1 identity/,
    claim: (s) => ({
      ...s,
      fingerprint: withDigest([
        { kind: 'uuid', hmac: hmac() },
        { kind: 'cpu', hmac: hmac() },
        { kind: 'disk', hmac: hmac() },
      ]),
    }),
  },
  {
    name: 'one component twice',
    code: 'fingerprint-refused',
    why: /twice/,
    claim: (s) => ({
      ...s,
      fingerprint: withDigest([...s.fingerprint.components, ...s.fingerprint.components.slice(0, 1)]),
    }),
  },
  {
    name: 'two system UUIDs, to be two laptops',
    code: 'fingerprint-refused',
    why: /several of uuid/,
    claim: (s) => ({
      ...s,
      fingerprint: withDigest([...s.fingerprint.components, { kind: 'uuid', hmac: hmac() }]),
    }),
  },
  {
    name: 'a laptop that is registered, without consent',
    code: 'fingerprint-known',
    why: /without consent/,
    machine: ({ victim }) => victim.machine,
    claim: (s) => s,
  },
  {
    name: 'the UUID of another laptop with other components',
    code: 'fingerprint-clone',
    why: /equal UUID/,
    claim: (s, { victim }) => ({
      ...s,
      fingerprint: withDigest(
        s.fingerprint.components.map((part) => (part.kind === 'uuid' ? uuidOf(victim.machine) : part)),
      ),
    }),
  },
  {
    name: "another laptop's tunnel key",
    code: 'wireguard-key-refused',
    why: /its holder/,
    claim: (s, { victim }) => ({ ...s, wireguardPublicKey: victim.statement.wireguardPublicKey }),
  },
];

const consent: readonly Claim[] = [
  {
    name: 'a prior device that never was',
    code: 'consent-refused',
    why: /no registered laptop/,
    claim: (s) => ({ ...s, priorDeviceId: randomUUID() }),
  },
  {
    name: "another laptop's device as the prior one",
    code: 'consent-refused',
    why: /the laptop is/,
    machine: ({ victim }) => victim.machine,
    claim: (s, { unconfirmed }) => ({ ...s, priorDeviceId: unconfirmed.deviceId }),
  },
  {
    name: 'a consent that was never given',
    code: 'consent-refused',
    why: /no such consent/,
    machine: ({ victim }) => victim.machine,
    claim: (s) => ({ ...s, consentId: randomUUID() }),
  },
  ...(
    [
      ['a consent that nobody signed', 'victim', undefined, null, /not signed/],
      ['a consent for another laptop', 'unconfirmed', 1, null, /another laptop/],
      ['a consent that was used', 'victim', 1, 1, /used/],
      ['a consent that is out of date', 'victim', -1, null, /out of date/],
    ] as const
  ).map(([name, whose, hours, usedAt, why]): Claim => {
    let id = '';
    return {
      name,
      code: 'consent-refused',
      why,
      prepare: async (siege) => {
        const { deviceId, statement } = siege[whose];
        const device = { id: deviceId, fingerprintDigest: statement.fingerprint.digest };
        const wish = { hours: hours ?? 1, why: 'x', newMainboard: false };
        const { operator } = slicePaths(siege.world.sliceDir);
        const config = await readSliceConfig(siege.world.sliceDir);
        const { consent, jws } = await signConsent(config, readFileSync(operator.consentKey), device, wish, Date.now());
        id = consent.consentId;
        const values = [id, deviceId, Date.now(), 9e15, usedAt, hours === undefined ? 'x' : jws];
        siege.change(
          'INSERT INTO consent (id, device_id, created_at, expires_at, used_at, jws) VALUES (?, ?, ?, ?, ?, ?)',
          ...values,
        );
      },
      machine: ({ victim }) => victim.machine,
      claim: (s) => ({ ...s, consentId: id }),
    };
  }),
];

function uuidOf(machine: string): Fingerprint['components'][number] {
  const [uuid] = fingerprintOf(machine).components;
  if (uuid?.kind !== 'uuid') throw new TypeError('the first component is the UUID');
  return uuid;
}

export const falseClaims: readonly Attack[] = [...binding, ...identity, ...consent].map(claimed);
