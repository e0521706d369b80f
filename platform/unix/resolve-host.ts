import { lookup } from 'node:dns/promises';

import { systemClock } from '../../src/core/clock.ts';

const RESOLVE_MS = 5_000;

/** The system's resolver may take half a minute; we do not wait that long for a name. */
export async function resolveHost(host: string): Promise<string[]> {
  const late = new AbortController();
  try {
    const given = systemClock.sleep(RESOLVE_MS, late.signal).then(() => []);
    return (await Promise.race([lookup(host, { all: true }), given])).map(({ address }) => address);
  } finally {
    late.abort();
  }
}
