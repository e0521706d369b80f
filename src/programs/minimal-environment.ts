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
 * The complete environment of a child: the caller's own if given, else the minimal one. Windows cannot load DLLs
 * without SystemRoot.
 */
export function childEnvironment(env: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const systemRoot = process.platform === 'win32' ? process.env['SystemRoot'] : undefined;
  return { ...(systemRoot === undefined ? {} : { SystemRoot: systemRoot }), ...(env ?? MINIMAL_ENVIRONMENT) };
}
