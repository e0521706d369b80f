import type { Command } from 'commander';

import { systemClock } from '../../src/core/clock.ts';
import { mspProgram } from '../../src/apps/msp/msp-program.ts';
import { operatorProgram } from '../../src/apps/operator/operator-program.ts';
import { sliceProgram } from '../../src/apps/slice/slice-program.ts';
import type { ProductName } from '../build/products.ts';
import { PROXY_VARIABLES, type Launcher } from './render-launcher.ts';

/** A package for those who run slices: what is particular about it. */
export interface OperatorsPackage {
  readonly program: () => Command;
  readonly launcher: Omit<Launcher, 'name'>;
  /** Programs that it cannot do without. */
  readonly depends: readonly string[];
  readonly recommends: readonly string[];
  readonly suggests: readonly string[];
  /** For deb-control(5): the first line is the synopsis. */
  readonly description: readonly string[];
  readonly units: readonly string[];
  /** Addons whose libraries it can do without. */
  readonly optional: readonly string[];
  /** The scripts of the maintainer that it has, in the folder of operators/ named after it. */
  readonly scripts: readonly string[];
}

export type OperatorsPackageName = Exclude<ProductName, 'kiwistack-enroll'>;

const WITH_NODE = 'The package includes the version of Node.js that it was tested with.';

export const OPERATORS_PACKAGES: Readonly<Record<OperatorsPackageName, OperatorsPackage>> = {
  'kiwistack-operator': {
    program: operatorProgram,
    launcher: {
      // Its settings and its session are the person's, in the home and in the keychain of their desktop.
      variables: [...PROXY_VARIABLES, 'HOME', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
    },
    depends: ['pcscd', 'ykcs11'],
    // A sign-in over the network is kept in the keychain of the desktop, through libsecret.
    recommends: ['libsecret-1-0', 'yubikey-manager | yubico-piv-tool'],
    suggests: ['bash-completion'],
    description: [
      "KiwiStack device enrollment, the operator's commands",
      'Provisions the YubiKeys of staff, and lists, consents to and ends the',
      "laptops of a customer's slice. It also reads alarms and support bundles,",
      'and verifies the audit.',
      '',
      WITH_NODE,
    ],
    units: [],
    optional: ['keytar.node'],
    scripts: [],
  },
  'kiwistack-slice': {
    program: () => sliceProgram({ clock: systemClock, env: {} }),
    // step-ca is looked for here as well: it is no part of Debian or Ubuntu, and often put there by hand.
    launcher: {
      variables: ['KIWISTACK_STEP_CA'],
      path: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    },
    depends: ['ca-certificates', 'iproute2', 'nftables', 'systemd', 'wireguard-tools'],
    recommends: ['kiwistack-operator', 'step-ca'],
    suggests: ['bash-completion', 'wireguard-go'],
    description: [
      "KiwiStack device enrollment, a customer's slice",
      "Creates and runs a customer's slice on this machine: the gateway that",
      'laptops enroll with, the certificate authority (step-ca) and the WireGuard',
      'endpoint. Each slice is a folder in /var/lib/kiwistack-slice and an instance',
      'of kiwistack-slice@.service.',
      '',
      'step-ca 0.30 is needed to run a slice; it is in the repository of its',
      'makers, Smallstep.',
      '',
      WITH_NODE,
    ],
    units: ['kiwistack-slice@.service'],
    optional: [],
    scripts: ['postinst', 'prerm', 'postrm'],
  },
  'kiwistack-msp': {
    program: () => mspProgram({ clock: systemClock }),
    launcher: { variables: [] },
    depends: ['pcscd', 'ykcs11'],
    // A sign-in over the network is kept in the keychain of the desktop, through libsecret.
    recommends: ['libsecret-1-0', 'yubikey-manager | yubico-piv-tool'],
    suggests: ['bash-completion'],
    description: [
      "KiwiStack device enrollment, the provider's root",
      'For the machine without a network where the key of the root is, in a',
      'YubiKey or in a file: signs the intermediates of customers within a',
      'policy, and takes them back.',
      '',
      WITH_NODE,
    ],
    units: [],
    optional: ['keytar.node'],
    scripts: [],
  },
};
