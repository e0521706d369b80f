import { Client } from 'ldapts';

import { KiwiError } from '../../core/errors.ts';
import type { SliceConfig } from '../config/slice-config.ts';

export type DirectoryConfig = NonNullable<SliceConfig['directory']>;

/** The CA of the directory, PEM, and the password of `bindDn`. */
export interface DirectoryAccess {
  readonly ca: string;
  readonly secret: string;
}

const CONNECT_MS = 3000;
const ANSWER_MS = 5000;

/**
 * Works with the directory, over a connection of its own: a slice that has to do with a laptop a day keeps none open.
 * @throws KiwiError `directory-unavailable` with what it said
 */
export async function withDirectory<Result>(
  { url, bindDn }: Pick<DirectoryConfig, 'url' | 'bindDn'>,
  { ca, secret }: DirectoryAccess,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({
    url,
    ...{ connectTimeout: CONNECT_MS, timeout: ANSWER_MS },
    tlsOptions: { ca, minVersion: 'TLSv1.2' },
  });
  try {
    await client.bind(bindDn, secret);
    return await work(client);
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : 'failed';
    throw new KiwiError('directory-unavailable', { detail: `${url}: ${detail}`, cause: error });
  } finally {
    await client.unbind().catch(() => undefined);
  }
}
