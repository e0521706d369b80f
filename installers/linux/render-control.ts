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
/** For `enroll --sign-in`. */
const SIGN_IN = ['sssd-ldap', 'sssd-krb5', 'libnss-sss', 'libpam-sss', 'libsasl2-modules-gssapi-mit'];
/**
 * systemd-resolved is only suggested, although resolving names through the tunnel needs it: installing it would take over the
 * laptop's resolver, which nobody asked for.
 */
const SUGGESTS = ['systemd-resolved', 'wireguard-go', 'cryptsetup', 'bash-completion', ...SIGN_IN];

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

/** Renders DEBIAN/control of the agent's package. */
export function renderControl(values: ControlValues): string {
  const test = ['', 'THIS IS A TEST BUILD: a variable can interrupt it anywhere. Not for real use.'];
  return renderFields({
    ...values,
    name: 'kiwistack-enroll',
    depends: [...DEPENDS, ...values.sharedLibraries],
    more: [`Recommends: ${RECOMMENDS.join(', ')}`, `Suggests: ${SUGGESTS.join(', ')}`],
    section: 'admin',
    description: values.kind === 'test' ? [...DESCRIPTION, ...test] : DESCRIPTION,
  });
}

const WINDOW_DESCRIPTION = [
  'KiwiStack device enrollment, with a window',
  'Sets up this laptop for work: plug in the YubiKey that your organisation',
  'gave you, enter its PIN and touch it. Afterwards the window shows whether',
  'everything works, and helps if something does not.',
  '',
  'The window has no rights of its own: it asks the agent of kiwistack-enroll,',
  'and polkit decides. The package includes the version of Electron that it',
  'was tested with.',
];

/** Renders DEBIAN/control of the window's package. The window and the agent are of one version: what they say to each other is not stable. */
export function renderWindowControl(values: Omit<ControlValues, 'kind'>): string {
  return renderFields({
    ...values,
    name: 'kiwistack-enroll-desktop',
    // polkit asks for the password in a window, by the desktop's own agent; xdg-utils open the customer's pages in the browser.
    depends: [
      'init-system-helpers (>= 1.54)',
      `kiwistack-enroll (= ${values.version})`,
      'polkitd | policykit-1',
      'systemd',
      'xdg-utils',
      ...values.sharedLibraries,
    ],
    // For the first start of a laptop from an OEM: without them the text consoles alone say how its claim stands.
    more: ['Suggests: cage, xwayland, libpam-systemd, kbd'],
    section: 'utils',
    description: WINDOW_DESCRIPTION,
  });
}

/** See deb-control(5). */
export function renderFields(values: {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly installedKib: number;
  readonly depends: readonly string[];
  readonly more: readonly string[];
  readonly section: string;
  /** The first line is the synopsis. */
  readonly description: readonly string[];
}): string {
  const { name, version, architecture, depends, more, section, description } = values;
  const [synopsis = '', ...lines] = description;
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${values.installedKib}`,
    `Depends: ${[...depends].sort().join(', ')}`,
    ...more,
    `Section: ${section}`,
    'Priority: optional',
    `Description: ${synopsis}`,
    ...lines.map((line) => (line === '' ? ' .' : ` ${line}`)),
    '',
  ].join('\n');
}
