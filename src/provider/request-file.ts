import { z } from 'zod';

import { readGivenFile } from '../core/read-given-file.ts';
import { ipv4Cidr, slug, text } from '../protocol/common.ts';
import { domain } from '../protocol/grant.ts';
import { parseConfigFile } from '../slice/config/slice-config.ts';

/**
 * A request for an intermediate, which a person carries to where the provider's root key is. The names in it are a wish:
 * who signs decides whether they are this customer's.
 */
const intermediateRequest = z.strictObject({
  kind: z.literal('kiwistack-intermediate-request'),
  version: z.literal(1),
  customer: z.strictObject({ slug, name: text(100) }),
  domains: z.array(domain).max(16),
  networks: z.array(ipv4Cidr).min(1).max(34),
  /** PKCS#10, PEM. It proves that the requester has the key; everything else stands above. */
  csr: z.string().max(4096),
});
export type IntermediateRequest = z.infer<typeof intermediateRequest>;

export function renderRequest(request: Omit<IntermediateRequest, 'kind' | 'version'>): string {
  const whole = { kind: 'kiwistack-intermediate-request', version: 1, ...request };
  return `${JSON.stringify(intermediateRequest.parse(whole), null, 2)}\n`;
}

/** Of a file that is named on the command line. */
export const MAX_GIVEN = 256 * 1024;

/** @throws KiwiError `file-unusable` */
export async function readRequest(file: string): Promise<IntermediateRequest> {
  const bytes = await readGivenFile(file, { option: '--request', maxBytes: MAX_GIVEN });
  return parseConfigFile(intermediateRequest, bytes, file, 'file-unusable');
}
