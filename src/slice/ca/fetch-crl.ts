import { Agent, request } from 'undici';

import type { SliceConfig } from '../config/slice-config.ts';
import { crlDistributionPoint } from './render-ca-config.ts';

/** Of some hundred thousand certificates. */
const MAX_BYTES = 16 << 20;

/** What step-ca publishes, DER; undefined when it publishes nothing. */
export async function fetchCrl({ inside, ca }: Pick<SliceConfig, 'inside' | 'ca'>): Promise<Buffer | undefined> {
  // Its own: the built program has no other.
  const dispatcher = new Agent({ headersTimeout: 5000, bodyTimeout: 5000, maxResponseSize: MAX_BYTES });
  try {
    const url = crlDistributionPoint({ address: inside.address, crlPort: ca.crlPort });
    const response = await request(url, { dispatcher });
    const bytes = Buffer.from(await response.body.arrayBuffer());
    return response.statusCode === 200 && bytes.length > 0 ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    await dispatcher.close();
  }
}
