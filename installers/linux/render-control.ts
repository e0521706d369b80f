/** The parts of the control file that differ between builds. */
export interface ControlValues {
  readonly version: string;
  readonly architecture: string;
  readonly installedKib: number;
  readonly sharedLibraries: readonly string[];
  readonly kind: 'production' | 'test';
}

export const MAINTAINER = 'KiwiStack contributors <enroll@kiwistack.io>';

/** Programs that an enrollment runs; preflight.ts checks for them. */
const DEPENDS = [
  'ca-certificates',
  'init-system-helpers (>= 1.54)',
  'iproute2',
  'iputils-ping',
  'pcscd',
  'systemd',
  'wireguard-tools',
  'ykcs11',
];
/**
 * openssl makes adding the root certificate twenty times faster; pkexec is for `pkexec kiwistack-enroll enroll`; the others are for a
 * device key in the TPM.
 */
const RECOMMENDS = ['openssl', 'pkexec', 'tpm2-openssl', 'tpm2-tools'];
/**
 * systemd-resolved is only suggested, although resolving names through the tunnel needs it: installing it would take over the
 * laptop's resolver, which nobody asked for.
 */
const SUGGESTS = ['systemd-resolved', 'wireguard-go', 'bash-completion'];

const DESCRIPTION = [
  'KiwiStack device enrollment',
  'Enrolls this laptop with a KiwiStack customer, so that the customer can',
  'manage it: plug in the YubiKey that your organisation gave you, enter its',
  "PIN and touch it. The customer's slice verifies the YubiKey's attestation",
  'and issues a device certificate. A WireGuard tunnel and the Fleet agent are',
  'set up. If a step fails, all changes are undone.',
  '',
  'The package includes the version of Node.js that it was tested with.',
];

/** Renders DEBIAN/control, see deb-control(5). */
export function renderControl(values: ControlValues): string {
  const { version, architecture, installedKib, sharedLibraries, kind } = values;
  const test = ['', 'THIS IS A TEST BUILD: a variable can interrupt it anywhere. Not for real use.'];
  const [synopsis = '', ...lines] = kind === 'test' ? [...DESCRIPTION, ...test] : DESCRIPTION;
  return [
    'Package: kiwistack-enroll',
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${installedKib}`,
    `Depends: ${[...DEPENDS, ...sharedLibraries].sort().join(', ')}`,
    `Recommends: ${RECOMMENDS.join(', ')}`,
    `Suggests: ${SUGGESTS.join(', ')}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${synopsis}`,
    ...lines.map((line) => (line === '' ? ' .' : ` ${line}`)),
    '',
  ].join('\n');
}
