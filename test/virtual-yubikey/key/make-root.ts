import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commonName, validity } from '../wire/der.ts';
import { replaceFile } from './atomic-file.ts';
import { authorityExtension, signCertificate } from './certificate.ts';

/** The authority under which the keys of one test world are made. */
export interface TestRoot {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** Makes `root.crt` and `root.key` in the directory, the stand-in of Yubico's PIV root; does nothing if they are there. */
export function makeRoot(directory: string): TestRoot {
  const paths = rootPaths(directory);
  if (existsSync(paths.certificate) && existsSync(paths.key)) return loadRoot(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const name = commonName('Virtual YubiKey Test PIV Root CA (not Yubico)');
  const der = signCertificate(
    {
      serialNumber: Buffer.concat([Buffer.of(0x40), randomBytes(15)]),
      issuer: name,
      validity: validity(new Date('2016-03-14T00:00:00Z'), new Date('2052-04-17T00:00:00Z')),
      subject: name,
      publicKey,
      extensions: [authorityExtension()],
    },
    privateKey,
  );
  const certificate = new X509Certificate(der);
  // The key first: a crash in between leaves no certificate, and the next run starts over.
  replaceFile(paths.key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  replaceFile(paths.certificate, certificate.toString(), 0o644);
  return { certificate, privateKey };
}

/** Reads a root that `makeRoot` wrote. */
export function loadRoot(directory: string): TestRoot {
  const paths = rootPaths(directory);
  return {
    certificate: new X509Certificate(readFileSync(paths.certificate)),
    privateKey: createPrivateKey(readFileSync(paths.key)),
  };
}

function rootPaths(directory: string): { certificate: string; key: string } {
  return { certificate: join(directory, 'root.crt'), key: join(directory, 'root.key') };
}
