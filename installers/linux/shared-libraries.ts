import { runChecked } from '../../src/programs/run-program.ts';

/** The Debian package of each shared library that our binaries may need; the same in Debian 12 and Ubuntu 24.04. */
const PACKAGES: Readonly<Record<string, string>> = {
  'libc.so.6': 'libc6',
  'libm.so.6': 'libc6',
  'libdl.so.2': 'libc6',
  'libpthread.so.0': 'libc6',
  'ld-linux-x86-64.so.2': 'libc6',
  'ld-linux-aarch64.so.1': 'libc6',
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1',
};

/** Maps N of GLIBCXX_3.4.N to GCC's major version, which is the version of the package libstdc++6 (libstdc++ ABI history). */
const GCC_BY_GLIBCXX: readonly (readonly [glibcxx: number, gcc: number])[] = [
  [34, 15],
  [33, 14],
  [32, 13],
  [31, 13],
  [30, 12],
  [29, 11],
  [28, 9],
  [26, 9],
  [25, 8],
  [23, 7],
  [22, 6],
  [20, 5],
];

/**
 * The part of `Depends:` that the binaries need, read from their headers: what dpkg-shlibdeps would find, but without Debian's
 * build tools and independent of the versions on the build machine.
 * @throws Error when a binary needs a library that this table does not know
 */
export async function sharedLibraryDependencies(binaries: readonly string[]): Promise<string[]> {
  const dumps = await Promise.all(
    binaries.map((file) => runChecked({ program: '/usr/bin/objdump', args: ['-p', file], maxOutputBytes: 8 << 20 })),
  );
  return dependenciesOf(dumps.map(({ stdout }) => stdout.toString()).join('\n'));
}

/** The same, from the output of `objdump -p`. */
export function dependenciesOf(dump: string): string[] {
  const packages = new Set<string>();
  for (const [, soname = ''] of dump.matchAll(/^\s+NEEDED\s+(\S+)$/gmu)) {
    const name = PACKAGES[soname];
    if (name === undefined) throw new Error(`no Debian package is known for ${soname}`);
    packages.add(name);
  }
  const minimum: Record<string, string> = {
    libc6: `2.${highest(dump, /\bGLIBC_2\.(\d+)/gu).toString()}`,
    'libstdc++6': gccVersion(highest(dump, /\bGLIBCXX_3\.4\.(\d+)/gu)),
  };
  return [...packages].sort().map((name) => {
    const version = minimum[name];
    return version === undefined ? name : `${name} (>= ${version})`;
  });
}

function highest(text: string, pattern: RegExp): number {
  return Math.max(0, ...[...text.matchAll(pattern)].map(([, number]) => Number(number)));
}

function gccVersion(glibcxx: number): string {
  const [newest] = GCC_BY_GLIBCXX;
  if (newest !== undefined && glibcxx > newest[0]) throw new Error(`GLIBCXX_3.4.${glibcxx} is newer than this table`);
  return (GCC_BY_GLIBCXX.find(([known]) => glibcxx >= known)?.[1] ?? 4).toString();
}
