/** What of the control file is not the same for every build. */
export interface ControlValues {
  readonly version: string;
  readonly architecture: string;
  readonly installedKib: number;
  readonly sharedLibraries: readonly string[];
  readonly kind: 'production' | 'test';
}

export const MAINTAINER = 'KiwiStack contributors <enroll@kiwistack.io>';

/** Programs that an enrollment runs; preflight.ts asks for them. */
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
/** openssl: adding the root takes a twentieth of the time. pkexec: for `pkexec kiwistack-enroll enroll`. */
const RECOMMENDS = ['openssl', 'pkexec'];
/**
 * Not recommended, though names behind the tunnel need it: where systemd-resolved is not installed, installing it takes over
 * the resolver of the laptop, which nobody asked for.
 */
const SUGGESTS = ['systemd-resolved', 'wireguard-go', 'bash-completion'];

const DESCRIPTION = [
  'KiwiStack device enrollment',
  'Turns this laptop into a managed one of a KiwiStack customer: plug in the',
  'YubiKey that your company gave you, enter its PIN, touch it. The YubiKey',
  "attests who enrolls what; the customer's slice checks it and issues a device",
  'certificate; a WireGuard tunnel comes up; the Fleet agent registers. What',
  'fails is undone.',
  '',
  'It brings the version of Node.js that it was tested with.',
];

/** DEBIAN/control, as deb-control(5) has it. */
export function renderControl(values: ControlValues): string {
  const { version, architecture, installedKib, sharedLibraries, kind } = values;
  const test = ['', 'THIS IS A TEST BUILD: a variable can cut it off anywhere. Not for a real laptop.'];
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
