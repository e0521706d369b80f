import path from 'node:path';

/**
 * The environment of every program that we start, unless the caller adds to it. Our own may contain secrets, a PATH
 * that somebody else set, or variables that change what a library does (LD_PRELOAD, NODE_OPTIONS, PKCS11 debug
 * switches), so none of it is passed on. The locale is fixed because output is parsed.
 */
export const MINIMAL_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
};

/**
 * The complete environment of a child: the caller's own if given, else the minimal one. Windows cannot load DLLs without SystemRoot, which is on
 * the drive that this program is on: our own SystemRoot may be a variable that a person has set.
 */
export function childEnvironment(
  env: Readonly<Record<string, string>> | undefined,
  on: { readonly platform: NodeJS.Platform; readonly executable: string } = {
    platform: process.platform,
    executable: process.execPath,
  },
): Record<string, string> {
  if (on.platform !== 'win32') return { ...(env ?? MINIMAL_ENVIRONMENT) };
  const windows = path.win32.join(path.win32.parse(on.executable).root, 'Windows');
  const [system, temporary] = [path.win32.join(windows, 'System32'), path.win32.join(windows, 'Temp')];
  return { SystemRoot: windows, PATH: system, TEMP: temporary, TMP: temporary, ...env };
}
