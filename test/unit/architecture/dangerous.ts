import { isBuiltin } from 'node:module';

import { isUnder } from './check-directions.ts';
import { readSyntax } from './read-syntax.ts';
import { hasImports, type SourceFile } from './source-files.ts';

/**
 * Every package that production uses, and the folders or files that may import it: a dependency is an authority we
 * grant, so each is wrapped in one place. A package without a row fails the test. Types may be imported anywhere.
 */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@noble/curves': ['src/laptop/tunnel/wireguard-key.ts'],
  '@peculiar/x509': ['src/pki'],
  commander: ['src/apps/enroll', 'src/apps/msp', 'src/apps/operator', 'src/apps/slice', 'src/terminal'],
  electron: ['src/apps/desktop/main', 'src/apps/desktop/preload'],
  // Run as a program by installers/release.
  'electron-builder': [],
  esbuild: ['installers/build'],
  fastify: ['src/slice/gateway', 'src/slice/operator-api'],
  'graphene-pk11': ['src/token/host'],
  // What ours is held against in tests.
  jose: [],
  ldapts: ['src/slice/directory'],
  keytar: ['src/operator-client/keychain.ts'],
  'node-forge': ['src/pki'],
  pino: ['src/slice', 'src/apps/slice'],
  pkcs11js: ['src/token/host'],
  preact: ['src/apps/desktop/renderer'],
  'reflect-metadata': ['src/pki'],
  systeminformation: ['platform/linux/hardware-reader.ts'],
  undici: [
    'src/laptop/fleet-agent/check-fleet-reachable.ts',
    'src/laptop/fleet-agent/download-package.ts',
    'src/laptop/gateway-client',
    'src/operator-client',
    'src/slice/ca',
    'src/slice/directory',
    'src/slice/fleet',
  ],
  zod: [
    // What was sealed, when it is opened.
    'src/apps/operator/provisioning/handover.ts',
    'src/local-api',
    'src/apps/desktop/main',
    'src/apps/key-lender',
    'src/laptop/service',
    'src/laptop/fleet-agent/kept-settings.ts',
    'src/operator-client',
    'src/protocol',
    'src/pki',
    'src/laptop/pipeline',
    'src/laptop/state',
    'src/provider',
    'src/slice',
    'src/token/wire',
    // What programs print.
    'platform/linux/disk',
    'platform/macos',
    'platform/windows',
    'installers/macos/sign-code.ts',
  ],
};

/** Parts of Node that give power over the machine, and who may import them. Empty: nobody. */
export const BUILTINS: Readonly<Record<string, readonly string[]>> = {
  'node:child_process': ['src/programs', 'installers/build/bundle.ts'],
  // The lock is SQLite's.
  'node:sqlite': ['src/slice/registry/sqlite', 'src/laptop/state/run-lock.ts'],
  'node:net': [
    'src/slice',
    'src/terminal/read-pin-from-descriptor.ts',
    'src/token/pcscd-readers.ts',
    'src/apps/agent',
    'src/local-api',
    'src/laptop/tunnel/endpoint-candidates.ts',
    'src/laptop/tunnel/profile-values.ts',
    'platform/windows/tunnel/local-networks.ts',
  ],
  'node:http': ['src/slice/gateway'],
  'node:https': [],
  'node:http2': [],
  'node:tls': [],
  'node:dgram': [],
  'node:process': [],
  // A built program starts from bytecode.
  'node:vm': ['installers/build'],
  // The slice's garbage collector.
  'node:v8': ['src/apps/slice'],
  'node:inspector': [],
  'node:cluster': [],
  'node:repl': [],
};

/** Names that reach around the tables above or around the rules of the house, and who may use them. */
export const NAMES: Readonly<Record<string, readonly string[]>> = {
  // Entry points hand it inward; the proxy of the network is known nowhere else.
  'process.env': [
    'installers/release/main.ts',
    'installers/image/main.ts',
    'installers/linux/build-deb.ts',
    'src/core/fault-point.ts',
    'src/apps/agent/main.ts',
    'src/apps/enroll/enroll-command.ts',
    'src/apps/enroll/main.ts',
    'src/apps/enroll/support-bundle-command.ts',
    'src/apps/msp/main.ts',
    'src/apps/operator/main.ts',
    'src/apps/slice/main.ts',
    'src/laptop/gateway-client/open-gateway-client.ts',
    'platform/linux/terminal-prompt.ts',
  ],
  'process.binding': [],
  'process.dlopen': [],
  'process.getBuiltinModule': [],
  // The second sends itself the Ctrl-C that the raw terminal swallowed; the third ends what a killed slice left; the last cuts
  // itself off in a test.
  'process.kill': ['src/programs', 'src/terminal/ask-pin.ts', 'src/slice/run', 'src/core/fault-point.ts'],
  'process.chdir': [],
  createRequire: ['native', 'installers/build'],
  fetch: [],
  'globalThis.fetch': [],
  WebSocket: [],
  eval: [],
  Function: [],
};

/** Says, one sentence each, where a dangerous thing is used outside of its place. */
export function dangerFaults(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => hasImports(file.path))
    .flatMap((file) => {
      const { imports, uses, properties } = readSyntax(file);
      return [
        ...imports
          .filter((found) => !found.own && !found.typeOnly)
          .flatMap(({ line, target }) => importFault(file.path, line, target)),
        ...uses
          .filter(({ name }) => !isAllowed(NAMES, name, file.path))
          .map(({ name, line }) => `${file.path}:${line.toString()} uses ${name}`),
        ...properties
          .filter(({ name }) => name === 'shell')
          .map(({ line }) => `${file.path}:${line.toString()} sets shell`),
      ];
    });
}

function importFault(path: string, line: number, target: string): readonly string[] {
  const place = `${path}:${line.toString()}`;
  if (target.startsWith('node:')) return isAllowed(BUILTINS, target, path) ? [] : [`${place} imports ${target}`];
  if (isBuiltin(target)) return [`${place} imports ${target} without node:`];
  if (!Object.hasOwn(PACKAGES, target)) return [`${place} imports ${target}, which has no row in the table`];
  return isAllowed(PACKAGES, target, path) ? [] : [`${place} imports ${target}`];
}

function isAllowed(table: Readonly<Record<string, readonly string[]>>, name: string, path: string): boolean {
  if (!Object.hasOwn(table, name)) return true;
  return (table[name] ?? []).some((place) => isUnder(path, place));
}
