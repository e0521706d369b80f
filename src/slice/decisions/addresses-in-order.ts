/** IPv4 addresses as numbers. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
  readonly reserved: readonly number[];
}

/**
 * Every address that a laptop may get, in the order in which they are tried. The search begins after the address that
 * was assigned last, so that a released address rests before another laptop gets it.
 */
export function* addressesInOrder({ first, last, reserved }: AddressRange, lastGiven: number): Generator<number> {
  const size = last - first + 1;
  const start = lastGiven >= first && lastGiven <= last ? lastGiven - first + 1 : 0;
  for (let step = 0; step < size; step++) {
    const address = first + ((start + step) % size);
    if (!reserved.includes(address)) yield address;
  }
}
