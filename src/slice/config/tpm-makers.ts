import { KiwiError } from '../../core/errors.ts';
import { parsePemBundle, type Certificate } from '../../pki/certificate.ts';

/**
 * Reads the certificates of TPM makers that a customer trusts: roots, and the intermediates below them, because what a laptop might
 * send of a chain is not used.
 * @throws KiwiError `slice-damaged`, or the given code, when one of them can end no chain
 */
export function readTpmMakers(
  pem: Uint8Array,
  file: string,
  code: 'slice-damaged' | 'file-unusable' = 'slice-damaged',
): Certificate[] {
  const makers = parsed(pem, file, code);
  const refuse = (why: string): never => {
    throw new KiwiError(code, { detail: `${file}: ${why}` });
  };
  const other = makers.find((maker) => !maker.isCa);
  if (other !== undefined) refuse(`${other.subject.cn ?? 'a certificate'} is no CA`);
  if (!makers.some((maker) => maker.subjectDer.equals(maker.issuerDer))) refuse('holds no root of a maker');
  return makers;
}

function parsed(pem: Uint8Array, file: string, code: 'slice-damaged' | 'file-unusable'): Certificate[] {
  try {
    return parsePemBundle(Buffer.from(pem).toString('utf8'));
  } catch (error) {
    throw new KiwiError(code, { detail: `${file}: not PEM certificates`, cause: error });
  }
}
