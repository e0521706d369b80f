import { addressNumber } from '../registry/rows.ts';

/** The addresses of a tunnel network that laptops may get: not its own, not the broadcast address, not the slice's. */
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

/** The prefix length of the tunnel network. */
export function prefixLengthOf(network: string): number {
  return Number(network.split('/')[1] ?? 32);
}
