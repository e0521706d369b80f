import type { Logger } from 'pino';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { operatorParts } from '../operator/operator-parts.ts';
import { buildOperatorApi } from './build-operator-api.ts';
import { makeServerCertificate } from './server-certificate.ts';

/**
 * Operators on other machines ask here for what they could do in the slice's folder.
 * @returns what ends it
 * @throws KiwiError `slice-part-failed`
 */
export async function serveOperators(
  open: Parameters<typeof operatorParts>[0],
  log: Logger,
): Promise<() => Promise<void>> {
  const parts = await operatorParts(open);
  const { inside, operatorApi } = open.config;
  try {
    const api = await buildOperatorApi(parts, await makeServerCertificate(parts), log);
    await api.listen({ host: inside.address, port: operatorApi.port });
    return async () => {
      await api.close();
      await parts.ca.close();
    };
  } catch (error) {
    await parts.ca.close();
    const detail = `operator API: ${toKiwiError(error).detail ?? ''}`;
    throw new KiwiError('slice-part-failed', { detail, cause: error });
  }
}
