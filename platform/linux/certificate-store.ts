import { CertificateFiles } from '../unix/certificate-files.ts';
import { PATHS } from './paths.ts';
import type { LinuxSystem } from './system.ts';
import { LinuxTpm } from './tpm/tpm.ts';

/** In smallstep's folder, with keys of the TPM. */
export class StepCertificateStore extends CertificateFiles {
  constructor(system: LinuxSystem, tpm = new LinuxTpm(system)) {
    super(system, PATHS.certificates, (parts, where) => tpm.open(parts, where));
  }
}
