import type { z } from 'zod';

/** The option of `init` behind each field of slice.json, and what it takes; a row is for its inner fields too. */
const OPTIONS: Readonly<Record<string, readonly [option: string, takes: string]>> = {
  'customer.slug': ['--slug', 'must be 2 to 32 of a-z, 0-9 and -, begin with a letter and not end with -'],
  'customer.name': ['--name', 'must be one line of at most 100 characters'],
  'gateway.url': ['--gateway-url', 'must be an https URL without a path'],
  'gateway.listen': ['--listen', 'must be host:port'],
  'inside.address': ['--inside-address', 'must be an IPv4 address'],
  'inside.network': ['--inside-network', 'must be an IPv4 network, such as 10.77.0.0/24'],
  'inside.cidrs': ['--inside-cidrs', 'must be 1 to 32 IPv4 networks, such as 10.77.1.0/24'],
  'inside.dns.servers': ['--dns-servers', 'must be at most 4 IPv4 addresses'],
  'inside.dns.domains': ['--role-domains', 'must be at most 16 DNS domains, in lower case'],
  'wireguard.interface': ['--interface', 'must be 1 to 15 of a-z, 0-9 and -, and begin with a letter'],
  'wireguard.port': ['--wireguard-port', 'must be 1 to 65535'],
  'wireguard.endpoints': ['--public-address', 'must be an IPv4 address or a DNS name in lower case'],
  'ca.port': ['--ca-port', 'must be 1 to 65535'],
  'operatorApi.port': ['--operator-port', 'must be 1 to 65535'],
  'ca.crlPort': ['--crl-port', 'must be 1 to 65535'],
  operators: ['--operator', 'must be one line of at most 100 characters'],
  'windows.sessionSeconds': ['--session-seconds', 'must be a whole number from 10 to 3600'],
  'windows.confirmSeconds': ['--confirm-seconds', 'must be a whole number from 1 to 86400'],
  'quota.devices': ['--quota', 'must be a whole number from 0 to 1000000'],
  rateLimit: ['--rate-limit', 'must be a number from 0.01 to 160000'],
};

/** Fields that contain another one, which is then the one to name. */
const CONTAINS: Readonly<Record<string, string>> = {
  'wireguard.endpoints': 'wireguard.port',
  'inside.cidrs': 'inside.network',
};

/** Which options of `init` are wrong, and what they take. */
export function describeOptions({ issues }: z.ZodError): string {
  const fields = issues.map(({ path }) =>
    Object.keys(OPTIONS).find((row) => `${path.join('.')}.`.startsWith(`${row}.`)),
  );
  const wrong = new Set(fields.filter((field) => field !== undefined));
  const named = [...wrong].filter((field) => !wrong.has(CONTAINS[field] ?? ''));
  return named.map((field) => OPTIONS[field]?.join(' ')).join('; ');
}
