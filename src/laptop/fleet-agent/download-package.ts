import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';

import { request, type Dispatcher } from 'undici';

import { KiwiError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';

export interface DownloadRequest {
  readonly url: string;
  /** SHA-256, base64url, as given in the grant. */
  readonly sha256: string;
  /** In bytes, as given in the grant; never more than this is written. */
  readonly size: number;
  /** A file that does not exist yet, in a folder that only root can write to. */
  readonly file: string;
  readonly dispatcher?: Dispatcher;
  readonly signal?: AbortSignal | undefined;
  /** Its answer, if it was asked for before. */
  readonly begun?: Promise<PackageAnswer> | undefined;
}
export type PackageAnswer = Dispatcher.ResponseData;

/** So much of a package that was asked for early waits in memory until somebody wants it. */
const EARLY_BYTES = 64 * 1024 * 1024;

/** A connection without progress for this long is considered broken. */
const STALL_MS = 20_000;

/**
 * Downloads the agent's package and checks it as it arrives: after this returns or throws, no file with another hash exists
 * under that name.
 *
 * @throws KiwiError `package-hash-mismatch` when the bytes are not those that the grant promised, `gateway-unreachable` when
 * they cannot be downloaded
 */
export async function downloadPackage(download: DownloadRequest): Promise<void> {
  const { file, size, sha256, signal } = download;
  const body = await open(
    file,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of await start(download)) {
      length += chunk.length;
      if (length > size) throw mismatch(`more than the promised ${size} bytes`);
      hash.update(chunk);
      await body.writeFile(chunk);
    }
    if (length !== size) throw mismatch(`${length} bytes instead of ${size}`);
    const actual = hash.digest('base64url');
    if (actual !== sha256) throw mismatch(`SHA-256 ${actual} instead of ${sha256}`);
    await body.sync();
  } catch (error) {
    await rm(file, { force: true });
    signal?.throwIfAborted();
    throw error instanceof KiwiError || isDiskError(error) ? error : unreachable(download, error);
  } finally {
    await body.close();
  }
}

/**
 * Asks for a package before it is needed, so that it comes while other things are done. Redirects are not followed: the grant
 * names the exact URL.
 */
export async function askForPackage(
  wanted: Pick<DownloadRequest, 'url' | 'dispatcher' | 'signal'>,
): Promise<PackageAnswer> {
  const { url, dispatcher, signal } = wanted;
  const answer = await request(url, {
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
    highWaterMark: EARLY_BYTES,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    ...(signal === undefined ? {} : { signal }),
  });
  // undici reports an abort as an error of the body; without a listener that error would end the program.
  answer.body.on('error', () => undefined);
  return answer;
}

async function start(download: DownloadRequest): Promise<AsyncIterable<Buffer>> {
  const { url, begun } = download;
  const answer = await (begun ?? askForPackage(download));
  if (answer.statusCode === 200) return answer.body as AsyncIterable<Buffer>;
  answer.body.destroy();
  throw new KiwiError('gateway-unreachable', { detail: `GET ${url}: HTTP ${answer.statusCode}` });
}

function mismatch(detail: string): KiwiError {
  return new KiwiError('package-hash-mismatch', { detail });
}

function unreachable({ url }: DownloadRequest, cause: unknown): KiwiError {
  const why = cause instanceof Error ? cause.message : 'unknown';
  return new KiwiError('gateway-unreachable', { detail: `GET ${url}: ${why}`, cause });
}

/** Left to toKiwiError, which names a full or read-only disk. */
function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(systemErrorCode(error) ?? '');
}
