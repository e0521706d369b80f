import { readSyntax } from './read-syntax.ts';
import { hasImports, type SourceFile } from './source-files.ts';

/**
 * Who may import whom. Left: a folder (or a single file). Right: what its files may take from elsewhere in the project;
 * a folder may always import itself. The order is the direction: core ← protocol ← pki ← domain folders ← enrollment ←
 * entry points. A folder without a row fails the test, so that a new one has to say where it belongs.
 */
export const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/protocol': ['src/core'],
  'src/pki': ['src/core', 'src/protocol'],
  'src/programs': ['src/core'],
  'src/pipeline': ['src/core'],
  native: [],

  // Domain folders of the laptop. Each defines its interface to the OS; none imports another, none imports platform/.
  'src/agent-install': ['src/core', 'src/protocol', 'src/pki'],
  'src/attestation': ['src/core', 'src/protocol', 'src/pki'],
  'src/certificate': ['src/core', 'src/protocol', 'src/pki'],
  'src/fingerprint': ['src/core', 'src/protocol', 'src/pki'],
  'src/gateway-client': ['src/core', 'src/protocol', 'src/pki'],
  'src/trust': ['src/core', 'src/protocol', 'src/pki'],
  'src/tunnel': ['src/core', 'src/protocol', 'src/pki'],
  // The token host is a child process, and the memory that holds a PIN comes from an addon.
  'src/token': ['src/core', 'src/protocol', 'src/pki', 'src/programs', 'native'],

  // The plan: all of the laptop, and no operating system.
  'src/enrollment': [
    ...['src/core', 'src/protocol', 'src/pki', 'src/pipeline'],
    ...['src/agent-install', 'src/attestation', 'src/certificate', 'src/fingerprint', 'src/gateway-client'],
    ...['src/token', 'src/trust', 'src/tunnel'],
    'package.json',
  ],

  // The slice judges what laptops send, so it shares no code with them beyond the messages and the PKI.
  'src/slice': ['src/core', 'src/protocol', 'src/pki', 'src/programs', 'package.json'],

  // Implementations of the OS interfaces.
  'platform/linux': [
    ...['src/core', 'src/protocol', 'src/pki', 'src/programs', 'native'],
    ...['src/agent-install', 'src/certificate', 'src/enrollment', 'src/fingerprint', 'src/trust', 'src/tunnel'],
  ],
  'platform/unsupported': ['src/core', 'src/enrollment'],
  'platform/select.ts': ['platform/linux', 'platform/unsupported', 'src/enrollment'],

  // What the commands of laptop and operator share: asking for a PIN, reporting, Ctrl-C.
  'src/terminal': ['src/core'],

  // Entry points: the only ones that wire implementations to interfaces.
  'src/cli': [
    ...['src/core', 'src/protocol', 'src/pki', 'src/pipeline', 'src/enrollment', 'src/terminal', 'src/token'],
    'platform/select.ts',
  ],
  // Of the slice, the operator's command sees one door only.
  'src/operator': ['src/core', 'src/protocol', 'src/pki', 'src/terminal', 'src/token', 'src/slice/open-slice.ts'],
};

/** Says, one sentence each, where an import goes against the table. */
export function directionFaults(files: readonly SourceFile[]): readonly string[] {
  return files
    .filter((file) => hasImports(file.path))
    .flatMap((file) => {
      const home = homeOf(file.path);
      if (home === undefined) return [`${file.path}: this folder has no row in the table`];
      return readSyntax(file)
        .imports.filter((found) => found.own && !mayImport(home, found.target))
        .map((found) => `${file.path}:${found.line.toString()} imports ${found.target}`);
    });
}

function mayImport(home: string, target: string): boolean {
  return [home, ...(DIRECTIONS[home] ?? [])].some((allowed) => isUnder(target, allowed));
}

function homeOf(path: string): string | undefined {
  return Object.keys(DIRECTIONS).find((folder) => isUnder(path, folder));
}

/** True for a folder's own path and for what is in it. */
export const isUnder = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
