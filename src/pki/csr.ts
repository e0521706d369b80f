import { createPublicKey, type KeyObject } from 'node:crypto';

import forge from 'node-forge';

import { readName } from './certificate-fields.ts';
import { DerError, readElement } from './der-element.ts';
import { ecdsaToDer } from './ecdsa-signature.ts';
import { spkiDer, spkiToKey } from './keys.ts';
import { algorithmFor, keySigner, type SignatureAlgorithm, type Signer, verifyAside } from './signer.ts';

export class CsrError extends Error {
  override readonly name = 'CsrError';
}

const { asn1 } = forge;
const { Class, Type } = asn1;

/** AlgorithmIdentifier OIDs (RFC 5758, section 3.2; RFC 8017, appendix C). RSA's has NULL parameters, ECDSA's has none. */
const SIGNATURE_OID = {
  ES256: '1.2.840.10045.4.3.2',
  ES384: '1.2.840.10045.4.3.3',
  RS256: '1.2.840.113549.1.1.11',
} as const;

/** Makes a PKCS#10 request (RFC 2986) for a key in memory: subject CN only, no attributes. DER. */
export function makeCsr(privateKey: KeyObject, commonName: string): Promise<Buffer> {
  return makeCsrWith(createPublicKey(privateKey), keySigner(privateKey), commonName);
}

/** The same for a key that can only sign, such as one on a YubiKey. Signs once. */
export async function makeCsrWith(publicKey: KeyObject, signer: Signer, commonName: string): Promise<Buffer> {
  const info = sequence(
    asn1.create(Class.UNIVERSAL, Type.INTEGER, false, '\0'),
    sequence(
      asn1.create(Class.UNIVERSAL, Type.SET, true, [
        sequence(oid('2.5.4.3'), asn1.create(Class.UNIVERSAL, Type.UTF8, false, forge.util.encodeUtf8(commonName))),
      ]),
    ),
    asn1.fromDer(spkiDer(publicKey).toString('binary')),
    asn1.create(Class.CONTEXT_SPECIFIC, Type.NONE, true, []),
  );
  const signature = await signer.sign(toDer(info));
  const algorithm = asn1.fromDer(signatureAlgorithmDer(signer.alg).toString('binary'));
  const bits = signer.alg === 'RS256' ? Buffer.from(signature) : ecdsaToDer(signature);
  return toDer(
    sequence(info, algorithm, asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${bits.toString('binary')}`)),
  );
}

/**
 * Reads a PKCS#10 request and verifies that it is signed by the key in it.
 * @returns the key; anything else that the request asks for is ignored: KiwiStack takes only the key from it
 * @throws CsrError
 */
export async function readCsr(
  der: Uint8Array,
): Promise<{ publicKey: KeyObject; spki: Buffer; cn: string | undefined }> {
  try {
    return await read(Buffer.from(der));
  } catch (error) {
    if (error instanceof CsrError) throw error;
    const message = error instanceof DerError ? error.message : 'not a certificate request';
    throw new CsrError(message, { cause: error });
  }
}

/**
 * The structure of the request is read here and its signature verified by OpenSSL: libraries accept wrong lengths,
 * unused bits and non-minimal integers that step-ca's parser does not, and both must see the same bytes or refuse them.
 */
async function read(der: Buffer): Promise<{ publicKey: KeyObject; spki: Buffer; cn: string | undefined }> {
  const request = readElement(der);
  const info = readElement(request.content);
  const algorithm = readElement(info.rest);
  const signature = readElement(algorithm.rest);
  const tags = [request, info, algorithm, signature].map(({ tag }) => tag);
  if (tags.join() !== [0x30, 0x30, 0x30, 0x03].join() || signature.content[0] !== 0) throw new CsrError('not DER');
  if (request.rest.length > 0 || signature.rest.length > 0) throw new CsrError('bytes behind the request');

  const version = readElement(info.content);
  const subject = readElement(version.rest);
  const spki = readElement(subject.rest);
  if (version.bytes.toString('hex') !== '020100') throw new CsrError('another version');
  const publicKey = spkiToKey(spki.bytes);
  const alg = algorithmFor(publicKey);
  if (alg === undefined || !algorithm.bytes.equals(signatureAlgorithmDer(alg))) throw new CsrError('another algorithm');
  const hash = alg === 'ES384' ? 'sha384' : 'sha256';
  if (!(await verifyAside(hash, info.bytes, publicKey, signature.content.subarray(1)))) {
    throw new CsrError('not signed by the key in it');
  }
  return { publicKey, spki: spki.bytes, cn: readName(subject.bytes).cn };
}

/**
 * The CN that a request asks for; undefined when it asks for none. Verifies nothing, so use it only for a request that
 * `readCsr` accepted.
 */
export function csrName(der: Uint8Array): string | undefined {
  const info = readElement(readElement(Buffer.from(der)).content);
  return readName(readElement(readElement(info.content).rest).bytes).cn;
}

/** AlgorithmIdentifier, DER. */
function signatureAlgorithmDer(alg: SignatureAlgorithm): Buffer {
  let der = algorithmDers.get(alg);
  if (der === undefined) algorithmDers.set(alg, (der = renderAlgorithm(alg)));
  return der;
}
const algorithmDers = new Map<SignatureAlgorithm, Buffer>();

function renderAlgorithm(alg: SignatureAlgorithm): Buffer {
  return toDer(
    alg === 'RS256'
      ? sequence(oid(SIGNATURE_OID.RS256), asn1.create(Class.UNIVERSAL, Type.NULL, false, ''))
      : sequence(oid(SIGNATURE_OID[alg])),
  );
}

function sequence(...children: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, children);
}

function oid(dotted: string): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

function toDer(object: forge.asn1.Asn1): Buffer {
  return Buffer.from(asn1.toDer(object).getBytes(), 'binary');
}
