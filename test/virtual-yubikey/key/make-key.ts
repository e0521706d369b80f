import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ALGORITHM } from '../piv/algorithms.ts';
import { PIN_POLICY, TOUCH_POLICY } from '../piv/policies.ts';
import { commonName, extension, validity } from '../wire/der.ts';
import { authorityExtension, issuerParts, signCertificate } from './certificate.ts';
import {
  ATTESTATION_OBJECT,
  DEFAULT_PIN,
  DEFAULT_PUK,
  factoryManagementKey,
  factoryReference,
} from './factory-defaults.ts';
import { loadAttestationIssuer } from './make-root.ts';
import { firmwareBytes, saveState, type KeyState } from './state.ts';
import { certificateObject } from '../piv/objects.ts';

/** What may be chosen about a new key; the rest is as it leaves the factory. */
export interface NewKeyOptions {
  readonly statePath: string;
  readonly rootDirectory: string;
  readonly serial?: number;
  readonly firmware?: string;
  /** 1 keychain A, 2 nano A, 3 keychain C, 4 nano C, 5 Lightning, 6/7 Bio. */
  readonly formFactor?: number;
  readonly fips?: boolean;
}

/** Makes a key with factory defaults and an attestation key certified under the test root of its firmware; writes its state file. */
export function makeKey(options: NewKeyOptions): KeyState {
  if (existsSync(options.statePath)) throw new Error(`${options.statePath} exists; a key is never overwritten`);
  const firmware = options.firmware ?? '5.4.3';
  const issuer = loadAttestationIssuer(options.rootDirectory, { firmware });
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const attestationCertificate = signCertificate(
    {
      serialNumber: Buffer.concat([Buffer.of(0x40), randomBytes(15)]),
      issuer: issuerParts(issuer.certificate.raw).subject,
      validity: validity(new Date('2016-03-14T00:00:00Z'), new Date('2052-04-17T00:00:00Z')),
      subject: commonName('Yubico PIV Attestation'),
      publicKey,
      extensions: [authorityExtension(0), extension('1.3.6.1.4.1.41482.3.3', firmwareBytes({ firmware }))],
    },
    issuer.privateKey,
  );
  const state: KeyState = {
    format: 'virtual-yubikey/1',
    serial: options.serial ?? randomInt(10_000_000, 40_000_000),
    firmware,
    formFactor: options.formFactor ?? 1,
    fips: options.fips ?? false,
    pin: factoryReference(DEFAULT_PIN),
    puk: factoryReference(DEFAULT_PUK),
    managementKey: factoryManagementKey({ firmware }),
    slots: {
      f9: {
        algorithm: ALGORITHM.rsa2048,
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        pinPolicy: PIN_POLICY.never,
        touchPolicy: TOUCH_POLICY.never,
        origin: 'generated',
      },
    },
    objects: { [ATTESTATION_OBJECT]: certificateObject(attestationCertificate).toString('hex') },
  };
  mkdirSync(dirname(options.statePath), { recursive: true, mode: 0o700 });
  saveState(options.statePath, state);
  return state;
}
