import { KiwiError } from '../../src/core/errors.ts';

/** What is built of one package: programs that share a folder, their addons and their Node. */
export interface Product {
  /** Name in the folder, entry file, and a command line that loads everything and exits at once. */
  readonly programs: readonly { readonly name: string; readonly entry: string; readonly dryRun: readonly string[] }[];
  /** Paths relative to the sources, which are in this folder once they are bundled. */
  readonly addons: readonly string[];
  /** With the program in C that watches the tunnel. */
  readonly watcher: boolean;
}

const LOCKED_MEMORY = 'native/locked-memory/build/Release/locked_memory.node';
const KEYTAR = 'node_modules/keytar/build/Release/keytar.node';
const PKCS11 = 'node_modules/pkcs11js/build/Release/pkcs11.node';
// Exits as soon as its channel closes, which is at once.
const TOKEN_HOST = { name: 'token-host', entry: 'src/token/host/main.ts', dryRun: ['unused'] };
const program = (name: string, app: string): Product['programs'][number] => ({
  name,
  entry: `src/apps/${app}/main.ts`,
  dryRun: ['--version'],
});

export const PRODUCTS = {
  'kiwistack-enroll': {
    programs: [
      program('kiwistack-enroll', 'enroll'),
      program('kiwistack-agent', 'agent'),
      program('kiwistack-key', 'key-lender'),
      TOKEN_HOST,
    ],
    addons: [PKCS11, LOCKED_MEMORY, 'native/peer-credentials/build/Release/peer_credentials.node'],
    watcher: true,
  },
  'kiwistack-operator': {
    programs: [program('kiwistack-operator', 'operator'), TOKEN_HOST],
    addons: [PKCS11, LOCKED_MEMORY, KEYTAR],
    watcher: false,
  },
  'kiwistack-slice': { programs: [program('kiwistack-slice', 'slice')], addons: [], watcher: false },
  'kiwistack-msp': {
    programs: [program('kiwistack-msp', 'msp'), TOKEN_HOST],
    addons: [PKCS11, LOCKED_MEMORY, KEYTAR],
    watcher: false,
  },
} as const satisfies Record<string, Product>;

export type ProductName = keyof typeof PRODUCTS;

/** The value of an option that names what is built. @throws KiwiError `usage` */
export function productOption(option: string, name: string): ProductName {
  if (Object.hasOwn(PRODUCTS, name)) return name as ProductName;
  throw new KiwiError('usage', { detail: `${option} must be one of ${Object.keys(PRODUCTS).join(', ')}` });
}
