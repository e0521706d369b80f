import { KiwiError } from '../../core/errors.ts';

/** An HTTP proxy on the way to the gateway. */
export interface Proxy {
  /** May hold a password: for the connection and for private files, never for messages. */
  readonly url: URL;
  /** Scheme, host and port, as messages name it, and who named it. */
  readonly name: string;
}

/** In the order in which curl looks at them. `http_proxy` is not for https. */
const VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'] as const;
const EXCEPTIONS = ['no_proxy', 'NO_PROXY'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for the gateway, and undefined if it names none or excepts the gateway.
 * @throws KiwiError `proxy-invalid`, with the name of the variable
 */
export function proxyFromEnvironment(gateway: URL, environment: Environment): Proxy | undefined {
  const variable = VARIABLES.find((name) => isSet(environment[name]));
  if (variable === undefined) return undefined;
  const exceptions = EXCEPTIONS.map((name) => environment[name]).find(isSet) ?? '';
  return isExcepted(gateway, exceptions) ? undefined : parseProxy(environment[variable] ?? '', variable);
}

/**
 * Reads a proxy's address. As for curl, apt and git, `host:port` without a scheme means http.
 * @param source the variable or file that holds it
 * @throws KiwiError `proxy-invalid`; its text does not repeat the address, which may hold a password
 */
export function parseProxy(text: string, source: string): Proxy {
  const trimmed = text.trim();
  const address = /^[a-z][a-z0-9+.-]*:\/\//iu.test(trimmed) ? trimmed : `http://${trimmed}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.hostname === '') throw invalid(source, 'it is not an address');
  // Other schemes have no origin that could be compared or shown.
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(source, `a proxy of type ${url.protocol}`);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw invalid(source, 'there is a path in it');
  if (!isDecodable(url.username) || !isDecodable(url.password)) throw invalid(source, 'its password has a stray %');
  return { url, name: `${url.origin} (from ${source})` };
}

/** `host`, `.host`, `*.host` and `host:port`, each with everything below it, and `*`: separated by commas or blanks. */
function isExcepted(gateway: URL, exceptions: string): boolean {
  const host = gateway.hostname.toLowerCase();
  const port = gateway.port === '' ? '443' : gateway.port;
  return exceptions.split(/[,\s]+/u).some((entry) => {
    if (entry === '*') return true;
    const [, name = '', onlyPort] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/u.exec(entry.toLowerCase()) ?? [];
    if (name === '' || (onlyPort !== undefined && onlyPort !== port)) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== '';
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function invalid(source: string, why: string): KiwiError {
  return new KiwiError('proxy-invalid', { detail: `${source}: ${why}` });
}
