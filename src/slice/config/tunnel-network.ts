/**
 * The addresses in a tunnel network that laptops may get: all but the network's, the broadcast address and the slice's
 * own.
 */
export function networkOf(inside: { address: string; network: string }): {
  first: number;
  last: number;
  reserved: number[];
} {
  const [base = '', prefix = '32'] = inside.network.split('/');
  const size = 2 ** (32 - Number(prefix));
  const first = Math.floor(addressNumber(base) / size) * size;
  return { first: first + 1, last: first + size - 2, reserved: [addressNumber(inside.address)] };
}

/** True when the network holds the address. Both IPv4. */
export function isInNetwork(address: string, network: string): boolean {
  const size = 2 ** (32 - prefixLengthOf(network));
  const [base = ''] = network.split('/');
  return Math.floor(addressNumber(address) / size) === Math.floor(addressNumber(base) / size);
}

/** The prefix length of the tunnel network. */
export function prefixLengthOf(network: string): number {
  return Number(network.split('/')[1] ?? 32);
}

/** An address such as 10.77.0.2 as the number that the registry stores. */
export function addressNumber(address: string): number {
  return address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}

export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
