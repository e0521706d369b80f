/**
 * The environment of every program we start, unless the caller adds to it. Ours may hold secrets, a PATH of somebody else,
 * or variables that change what a library does (LD_PRELOAD, NODE_OPTIONS, PKCS11 debug switches): none is handed on. The
 * locale is fixed because output is read.
 */
export const MINIMAL_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
};

/** The whole environment of a child: the caller's own if given, else the minimal one. Windows cannot load DLLs without SystemRoot. */
export function childEnvironment(env: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const systemRoot = process.platform === 'win32' ? process.env['SystemRoot'] : undefined;
  return { ...(systemRoot === undefined ? {} : { SystemRoot: systemRoot }), ...(env ?? MINIMAL_ENVIRONMENT) };
}
