import { KiwiError } from '../core/errors.ts';
import { readGivenFile } from '../core/read-given-file.ts';
import { parseCertificate, type Certificate } from '../pki/certificate.ts';
import { MAX_GIVEN } from './request-file.ts';

/** Reads a root that intermediates can be issued under. @throws KiwiError `usage`, naming the option */
export async function readRoot(option: string, file: string, now: Date): Promise<Certificate> {
  const root = await readGivenCertificate(option, file);
  const refuse = (why: string): never => {
    throw new KiwiError('usage', { detail: `${option} is ${why}` });
  };
  if (!root.isCa || !root.isSignedBy(root)) refuse('not a root certificate');
  if (root.pathLength === 0) refuse('one that allows no intermediate');
  if (now < root.notBefore || now > root.notAfter) refuse('not valid now');
  return root;
}

/** Reads one certificate in PEM. @throws KiwiError `usage`, `file-unusable`, naming the option */
export async function readGivenCertificate(option: string, file: string): Promise<Certificate> {
  const pem = (await readGivenFile(file, { option, maxBytes: MAX_GIVEN })).toString('utf8');
  try {
    return parseCertificate(pem);
  } catch (error) {
    throw new KiwiError('usage', { detail: `${option} is not a certificate in PEM`, cause: error });
  }
}
