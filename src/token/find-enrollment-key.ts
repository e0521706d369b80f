import type { Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';
import { enrollmentNames } from '../pki/roles.ts';
import { enrollmentKeyOn, type EnrollmentKey } from './enrollment-key.ts';
import type { PivSlot } from './piv-slot.ts';
import type { KeyHost } from './token-host.ts';

export interface TokenEvents {
  /** There is none yet: it is waited for. Called once. */
  waitingForKey?(): void;
  /** There are several: which one? Without it several keys are an error. */
  several?(keys: { serial: number; slot: PivSlot; role?: string; customer?: string }[]): Promise<number>;
}

export interface FindOptions {
  /** Only this YubiKey. */
  readonly serial?: number;
  /** How long to wait for a key. Default: two minutes; 0: not at all. */
  readonly waitMs?: number;
  readonly events?: TokenEvents;
  readonly signal?: AbortSignal;
}

const POLL_MS = 250;

/** See `Token.find`. */
export async function findEnrollmentKey(host: KeyHost, clock: Clock, options: FindOptions): Promise<EnrollmentKey> {
  const { waitMs = 120_000, events = {}, signal } = options;
  const abortable = signal === undefined ? {} : { signal };
  const until = clock.monotonic() + waitMs;
  let seen: string | undefined;
  let why: ErrorCode = 'key-absent';
  let waiting = false;
  for (;;) {
    // Reading a key takes seconds on a real one: it is done only when something else is plugged in than last time.
    const { readers } = await host.ask({ op: 'presence' }, abortable);
    const now = JSON.stringify(readers.map(({ reader, serial, held }) => [reader, serial, held]));
    if (now !== seen) {
      const { keys } = await host.ask({ op: 'read', ...(options.serial ? { serial: options.serial } : {}) }, abortable);
      const found = keys.flatMap((reading) => enrollmentKeyOn(reading) ?? []);
      if (found.length > 0) return choose(found, events);
      const wanted = readers.filter(({ serial }) => serial !== undefined);
      why = wanted.length > 0 ? 'key-not-enrolled' : readers.some(({ held }) => held) ? 'key-busy' : 'key-absent';
      // A key that was pulled while it was read is not remembered as seen.
      const complete = options.serial !== undefined || keys.length === wanted.length;
      seen = complete ? now : undefined;
    }
    if (clock.monotonic() >= until) throw new KiwiError(why);
    if (!waiting) events.waitingForKey?.();
    waiting = true;
    await clock.sleep(POLL_MS, signal);
  }
}

async function choose(found: readonly EnrollmentKey[], events: TokenEvents): Promise<EnrollmentKey> {
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  const serials = found.map(({ serial }) => serial).join(', ');
  if (events.several === undefined) throw new KiwiError('key-several', { detail: `serials ${serials}` });
  const serial = await events.several(
    found.map(({ serial, slot, certificate }) => {
      const customer = certificate.subject.o ?? enrollmentNames(certificate.sanUris)?.slug;
      const role = certificate.subject.ou;
      return { serial, slot, ...(role === undefined ? {} : { role }), ...(customer === undefined ? {} : { customer }) };
    }),
  );
  const chosen = found.find((key) => key.serial === serial);
  if (chosen === undefined) throw new KiwiError('key-several', { detail: `serials ${serials}` });
  return chosen;
}
