import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { EKU } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { attestationCertificate } from '../../../virtual-yubikey/attestation.ts';
import { makeRoot } from '../../../virtual-yubikey/key/make-root.ts';
import type { OpenedYubiKey } from '../../../world/opened-yubikey.ts';
import {
  dates,
  enrollmentCertificate,
  forgeYubiKey,
  loadAuthority,
  lookAlike,
  makeAuthority,
  type AttestationClaim,
  type Dates,
} from '../forge.ts';
import type { Attack, Siege } from '../siege.ts';

type KeyAttack = Pick<Attack, 'name' | 'code' | 'why'> & { readonly key: (siege: Siege) => Promise<OpenedYubiKey> };

/** The YubiKey is made before the state is taken down; then it states. */
const withKey = ({ key, ...attack }: KeyAttack): Attack => {
  let made: OpenedYubiKey | undefined;
  return {
    ...attack,
    prepare: async (siege) => {
      made = await key(siege);
    },
    attack: (siege) => siege.attempt({}, made),
  };
};

/** A software key with a certificate; attestation and serial are those of the person's genuine YubiKey. */
async function software(
  siege: Siege,
  certify: (key: ReturnType<typeof generateP256>) => ReturnType<typeof enrollmentCertificate>,
): Promise<OpenedYubiKey> {
  const key = generateP256();
  return { ...siege.key, signer: keySigner(key), certificate: await certify(key) };
}

/** A certificate of the slice's own CA for the key in the person's YubiKey, of other content. */
async function recertified(siege: Siege, changes: Parameters<typeof enrollmentCertificate>[2]): Promise<OpenedYubiKey> {
  const key = await siege.registeredKey();
  return key.withCertificate(await enrollmentCertificate(siege.intermediate, key.privateKey, changes));
}

const late = (when: Dates) => (siege: Siege) => recertified(siege, { dates: when });
const mspRoot = ({ world }: Siege) => {
  const { msp } = slicePaths(world.sliceDir);
  return loadAuthority(msp.certificate, msp.key);
};

const chains: readonly KeyAttack[] = [
  {
    name: 'a key of another customer of the same provider',
    code: 'key-chain-refused',
    why: /leaf: issuer-name/,
    key: async (siege) => {
      const beta = await makeAuthority({ cn: 'KiwiStack beta intermediate', o: 'Beta AG' }, 0, mspRoot(siege));
      return software(siege, (key) => enrollmentCertificate(beta, key, { slug: 'beta' }));
    },
  },
  {
    name: 'a key of another customer who calls himself as this one',
    code: 'key-chain-refused',
    why: /leaf: signature/,
    key: async (siege) => {
      const beta = await lookAlike(siege.intermediate.certificate, 0, mspRoot(siege));
      return software(siege, (key) => enrollmentCertificate(beta, key));
    },
  },
  {
    name: 'a software key under a self-made CA with the same names',
    code: 'key-chain-refused',
    why: /leaf: signature/,
    key: async (siege) => {
      const root = await lookAlike(mspRoot(siege).certificate, 1);
      const acme = await lookAlike(siege.intermediate.certificate, 0, root);
      return software(siege, (key) => enrollmentCertificate(acme, key));
    },
  },
  {
    name: 'a software key with a certificate that the CA issued, beside a genuine attestation',
    code: 'attestation-refused',
    why: /for another key/,
    key: (siege) => software(siege, (key) => enrollmentCertificate(siege.intermediate, key)),
  },
  {
    name: "a key of this customer's CA for another slug",
    code: 'key-chain-refused',
    why: /^slug$/,
    key: (siege) => recertified(siege, { slug: 'beta' }),
  },
  {
    name: 'a certificate with a second role',
    code: 'key-chain-refused',
    why: /^role$/,
    key: (siege) => recertified(siege, { extendedKeyUsages: [EKU.enrollmentKey, EKU.gateway] }),
  },
  {
    name: "a laptop's device certificate in place of the key's",
    code: 'key-chain-refused',
    why: /^role$/,
    key: ({ key, victim }) => {
      const certificate = parseCertificate(Buffer.from(victim.grant.certificate.chain[0] ?? '', 'base64url'));
      return Promise.resolve({ ...key, certificate, signer: keySigner(victim.exchange.deviceKey) });
    },
  },
  {
    name: "the gateway's own certificate in place of the key's",
    code: 'key-chain-refused',
    why: /^role$/,
    key: ({ key, world }) => {
      const { gateway } = slicePaths(world.sliceDir);
      const certificate = parseCertificate(readFileSync(gateway.certificate, 'utf8'));
      const signer = keySigner(createPrivateKey(readFileSync(gateway.key, 'utf8')));
      return Promise.resolve({ ...key, certificate, signer });
    },
  },
  {
    name: "the customer's intermediate in place of the key's",
    code: 'key-chain-refused',
    why: /leaf-is-ca/,
    key: ({ key, intermediate }) =>
      Promise.resolve({ ...key, certificate: intermediate.certificate, signer: keySigner(intermediate.key) }),
  },
  {
    name: 'the genuine certificate, and another key that signs',
    code: 'key-signature-refused',
    why: /^signature$/,
    key: ({ key }) => Promise.resolve({ ...key, signer: keySigner(generateP256()) }),
  },
  {
    name: 'a key whose certificate is over',
    code: 'key-certificate-expired',
    why: /leaf: expired/,
    key: late(dates(-2 * DAY, -DAY)),
  },
  {
    name: 'a key whose certificate is not valid yet',
    code: 'key-certificate-expired',
    why: /leaf: not-yet-valid/,
    key: late(dates(DAY, 2 * DAY)),
  },
  {
    name: 'a key whose certificate was revoked',
    code: 'key-certificate-revoked',
    key: async (siege) => {
      const key = await siege.registeredKey();
      const { serialHex } = key.certificate;
      siege.change("UPDATE certificate SET revoke_why = 'superseded', revoked_at = 1 WHERE serial = ?", serialHex);
      return key;
    },
  },
  {
    name: 'a second certificate for a registered key, made with a stolen provisioner key',
    code: 'yubikey-unregistered',
    why: /never registered/,
    key: (siege) => recertified(siege, {}),
  },
];

/** A registered key whose f9 says something else. */
const attesting =
  (claim: (siege: Siege) => AttestationClaim) =>
  async (siege: Siege): Promise<OpenedYubiKey> => {
    const said = claim(siege);
    const key = await siege.registeredKey();
    const lie = { serial: said.serial ?? key.serial, slot: said.slot ?? '9c' };
    return { ...key, ...lie, attest: () => key.attest(said) };
  };

const attestations: readonly KeyAttack[] = [
  {
    name: 'an attestation for another slot than the registered one',
    code: 'attestation-slot-refused',
    why: /registered is 9c/,
    key: attesting(() => ({ slot: '9a' })),
  },
  {
    name: 'an attestation for another slot than the statement says',
    code: 'attestation-slot-refused',
    why: /^slot 9a$/,
    key: async (siege) => ({ ...(await attesting(() => ({ slot: '9a' }))(siege)), slot: '9c' }),
  },
  {
    name: 'an attestation that names another serial than the statement',
    code: 'attestation-serial-refused',
    key: async (siege) => ({ ...(await siege.registeredKey()), serial: 1234 }),
  },
  {
    name: "an attestation with another registered key's serial",
    code: 'yubikey-unregistered',
    why: /another key of this YubiKey/,
    key: attesting(({ otherKey }) => ({ serial: otherKey.serial })),
  },
  {
    name: 'an attestation of another key in the same YubiKey',
    code: 'attestation-refused',
    why: /for another key/,
    key: attesting(() => ({ publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey })),
  },
  {
    name: 'an attestation beside the f9 certificate of another YubiKey',
    code: 'attestation-refused',
    why: /not signed/,
    key: async (siege) => ({
      ...(await siege.registeredKey()),
      attestationIssuer: siege.otherKey.attestationIssuer,
    }),
  },
  {
    name: 'a YubiKey of another maker with the same names',
    code: 'attestation-refused',
    why: /not under a pinned root/,
    key: async (siege) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'kiwistack-maker-'));
      try {
        const registered = await siege.registeredKey();
        const copy = await forgeYubiKey(makeRoot(folder), registered.serial, () =>
          Promise.resolve(registered.certificate),
        );
        const attest = (): Buffer => copy.attest({ publicKey: registered.publicKey });
        return { ...registered, attestationIssuer: copy.attestationIssuer, attest };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    name: 'an f9 certificate that is no CA',
    code: 'attestation-refused',
    why: /no CA/,
    key: (siege) => siege.registeredKey({ f9IsCa: false }),
  },
  {
    name: 'an attestation by a self-made f9 certificate',
    code: 'attestation-refused',
    why: /not under a pinned root/,
    key: async (siege) => {
      const key = await siege.registeredKey();
      const self = await makeAuthority({ cn: 'Yubico PIV Attestation' }, 0);
      const attest = (): Buffer =>
        attestationCertificate({
          device: { serial: key.serial, firmware: '5.4.3', formFactor: 1, fips: false },
          slot: '9c',
          pinPolicy: 3,
          touchPolicy: 2,
          publicKey: key.publicKey,
          issuer: self.certificate.der,
          signer: self.key,
        });
      return { ...key, attestationIssuer: self.certificate.der, attest };
    },
  },
  {
    name: 'something else as the attestation',
    code: 'attestation-refused',
    why: /not a certificate/,
    key: ({ key }) => Promise.resolve({ ...key, attest: () => Buffer.from('attestation') }),
  },
  {
    name: "the key's own certificate as its attestation",
    code: 'attestation-refused',
    key: ({ key, intermediate }) =>
      Promise.resolve({
        ...key,
        attest: () => key.certificate.der,
        attestationIssuer: intermediate.certificate.der,
      }),
  },
  ...(
    [
      ['no PIN', { pinPolicy: 1 }],
      ['no touch', { touchPolicy: 1 }],
      ['one touch for 15 seconds', { touchPolicy: 3 }],
    ] as const
  ).map(([what, truth]): KeyAttack => ({
    name: `a YubiKey that asks for ${what}`,
    code: 'policy-refused',
    key: (siege) => siege.registeredKey({ truth }),
  })),
];

const registrations: readonly KeyAttack[] = [
  {
    name: 'a YubiKey that is not registered',
    code: 'yubikey-unregistered',
    why: /^serial \d+$/,
    key: (siege) => siege.newKey(),
  },
  {
    name: 'a YubiKey that was burned',
    code: 'yubikey-burned',
    why: /certificate is revoked/,
    key: async (siege) => {
      const key = await siege.registeredKey();
      await siege.burn(key.serial);
      return key;
    },
  },
  {
    name: 'a YubiKey that was burned, with a certificate that was not revoked',
    code: 'yubikey-burned',
    why: /lost in a train/,
    key: async (siege) => {
      const key = await siege.registeredKey();
      await siege.burn(key.serial);
      return key.withCertificate(await enrollmentCertificate(siege.intermediate, key.privateKey));
    },
  },
];

export const otherKeys: readonly Attack[] = [...chains, ...attestations, ...registrations].map(withKey);
