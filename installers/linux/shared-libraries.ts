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
  // Of the window. Where Ubuntu 24.04 gave a package a new name (…t64), that one provides the old name, and apt finds it. libasound2 has
  // two providers there, of which one is meant.
  'libX11.so.6': 'libx11-6',
  'libXcomposite.so.1': 'libxcomposite1',
  'libXdamage.so.1': 'libxdamage1',
  'libXext.so.6': 'libxext6',
  'libXfixes.so.3': 'libxfixes3',
  'libXrandr.so.2': 'libxrandr2',
  'libasound.so.2': 'libasound2t64 | libasound2',
  'libatk-1.0.so.0': 'libatk1.0-0',
  'libatk-bridge-2.0.so.0': 'libatk-bridge2.0-0',
  'libatspi.so.0': 'libatspi2.0-0',
  'libcairo.so.2': 'libcairo2',
  'libcups.so.2': 'libcups2',
  'libdbus-1.so.3': 'libdbus-1-3',
  'libdrm.so.2': 'libdrm2',
  'libexpat.so.1': 'libexpat1',
  'libgbm.so.1': 'libgbm1',
  'libgio-2.0.so.0': 'libglib2.0-0',
  'libglib-2.0.so.0': 'libglib2.0-0',
  'libgobject-2.0.so.0': 'libglib2.0-0',
  'libgtk-3.so.0': 'libgtk-3-0',
  'libnspr4.so': 'libnspr4',
  'libnss3.so': 'libnss3',
  'libnssutil3.so': 'libnss3',
  'libpango-1.0.so.0': 'libpango-1.0-0',
  'libsmime3.so': 'libnss3',
  'libudev.so.1': 'libudev1',
  'libxcb.so.1': 'libxcb1',
  'libxkbcommon.so.0': 'libxkbcommon0',
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
 * @param ours libraries that the package itself brings
 * @throws Error when a binary needs a library that this table does not know
 */
export async function sharedLibraryDependencies(
  binaries: readonly string[],
  ours: readonly string[] = [],
): Promise<string[]> {
  const dumps = await Promise.all(
    binaries.map((file) => runChecked({ program: '/usr/bin/objdump', args: ['-p', file], maxOutputBytes: 8 << 20 })),
  );
  return dependenciesOf(dumps.map(({ stdout }) => stdout.toString()).join('\n'), ours);
}

/** The same, from the output of `objdump -p`. */
export function dependenciesOf(dump: string, ours: readonly string[] = []): string[] {
  const packages = new Set<string>();
  for (const [, soname = ''] of dump.matchAll(/^\s+NEEDED\s+(\S+)$/gmu)) {
    if (ours.includes(soname)) continue;
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
