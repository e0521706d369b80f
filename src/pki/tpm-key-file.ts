import { DerError, elementsOf, readElement, writeElement } from './der-element.ts';
import { TpmError } from './tpm-public.ts';

/**
 * A key of a TPM as it is kept outside: what TPM2_Create gives out and TPM2_Load takes. The private area is encrypted and
 * authenticated by the TPM under a key that never leaves it; in another TPM, or in this one after it was cleared, it is worth nothing.
 */
export interface TpmKeyParts {
  /** TPM2B_PUBLIC. */
  readonly publicArea: Buffer;
  /** TPM2B_PRIVATE. */
  readonly privateArea: Buffer;
}

const LABEL = 'TSS2 PRIVATE KEY';
const PEM = new RegExp(`-----BEGIN ${LABEL}-----\\s([A-Za-z0-9+/=\\s]{1,4096})-----END ${LABEL}-----`, 'u');

/**
 * The OID 2.23.133.10.1.3, "loadable key"; emptyAuth [0] EXPLICIT BOOLEAN TRUE, because it has no password; and TPM_RH_OWNER: its parent
 * is the P-256 storage key that the TPM derives anew, each time, from the seed of its owner.
 */
const HEAD = Buffer.from('06066781050a0103' + 'a0030101ff' + '020440000001', 'hex');
const [SEQUENCE, OCTETS] = [0x30, 0x04];

/**
 * The file that OpenSSL's providers for TPM 2.0 read wherever they read a private key (J. Bottomley, "ASN.1 Specification for TPM 2.0 Key
 * Files", draft-bottomley-tpm2-keys, section 3.1).
 */
export function tpmKeyPem({ publicArea, privateArea }: TpmKeyParts): string {
  const octets = [publicArea, privateArea].map((area) => writeElement(OCTETS, area));
  const der = writeElement(SEQUENCE, HEAD, ...octets);
  const lines = der.toString('base64').match(/.{1,64}/gu) ?? [];
  return [`-----BEGIN ${LABEL}-----`, ...lines, `-----END ${LABEL}-----`, ''].join('\n');
}

/** @returns undefined when the file holds no key of a TPM @throws TpmError when it holds one of another form than we write */
export function readTpmKeyPem(pem: Buffer): TpmKeyParts | undefined {
  if (!pem.includes(`-----BEGIN ${LABEL}-----`)) return undefined;
  const der = Buffer.from(PEM.exec(pem.toString('latin1'))?.[1] ?? '', 'base64');
  try {
    const { tag, content, rest } = readElement(der);
    const [type, auth, parent, publicArea, privateArea, ...more] = elementsOf(content);
    const head = Buffer.concat([type, auth, parent].map((element) => element?.bytes ?? Buffer.alloc(0)));
    const ours = tag === SEQUENCE && rest.length === 0 && more.length === 0 && head.equals(HEAD);
    if (ours && publicArea?.tag === OCTETS && privateArea?.tag === OCTETS) {
      return { publicArea: publicArea.content, privateArea: privateArea.content };
    }
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
  }
  throw new TpmError('another kind of key file');
}
