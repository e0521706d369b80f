import type { Clock } from '../core/clock.ts';
import { KiwiError, toKiwiError } from '../core/errors.ts';
import { enrollmentNames } from '../pki/roles.ts';
import { enrollmentKeyOn, type EnrollmentKey } from './enrollment-key.ts';
import type { PivSlot } from './piv-slot.ts';
import { readPresence, type Presence } from './presence.ts';
import type { KeyHost } from './token-host.ts';

export interface TokenEvents {
  /** There is no key yet, and the search waits for one. Called once. */
  waitingForKey?(): void;
  /** There are several keys. Without this method that is an error. @returns the serial of the chosen key */
  several?(keys: { serial: number; slot: PivSlot; role?: string; customer?: string }[]): Promise<number>;
}

export interface FindOptions {
  /** Only this YubiKey. */
  readonly serial?: number;
  /** How long to wait for a key, milliseconds. Default: two minutes; 0: not at all. */
  readonly waitMs?: number;
  readonly events?: TokenEvents;
  readonly signal?: AbortSignal;
}

const POLL_MS = 250;

/** See `Token.find`. */
export async function findEnrollmentKey(host: KeyHost, clock: Clock, options: FindOptions): Promise<EnrollmentKey> {
  const { waitMs = 120_000, events = {}, signal } = options;
  const until = clock.monotonic() + waitMs;
  let waiting = false;
  let before: string | undefined;
  let looked: Look | undefined;
  for (;;) {
    // Reading through the module resets the keys, which disturbs other programs: do it only when pcscd has seen a change.
    const states = await host.readers();
    const now = states === undefined ? undefined : JSON.stringify(states);
    if (looked?.settled !== true || now === undefined || now !== before) {
      looked = await look(host, options, looked);
      before = now;
    }
    if (looked.found.length > 0) return choose(looked.found, events);
    if (clock.monotonic() >= until) throw looked.reason;
    if (!waiting) events.waitingForKey?.();
    waiting = true;
    await clock.sleep(POLL_MS, signal);
  }
}

interface Look {
  /** What was plugged in. */
  readonly seen: string;
  readonly found: readonly EnrollmentKey[];
  /** The error to throw when the time to wait is over. */
  readonly reason: KiwiError;
  /**
   * Reading again would show the same. False for a key that was unplugged while it was read, or is held by another program.
   */
  readonly settled: boolean;
}

async function look(host: KeyHost, options: FindOptions, before: Look | undefined): Promise<Look> {
  const { serial, signal } = options;
  const readers = await readPresence(host, signal);
  const seen = JSON.stringify(readers);
  // Reading a real key takes seconds.
  if (before?.settled === true && before.seen === seen) return before;
  const { found, broken, complete } = await readKeys(host, options);
  if (found.length > 0) return { seen, found, settled: true, reason: whyNone(readers, serial) };
  // libykcs11 shows a key that was unplugged while it was read, or that another program has reset, as one with less in it.
  const after = await readPresence(host, signal);
  const same = JSON.stringify(after) === seen;
  if (same && broken !== undefined) throw broken;
  return { seen, found, settled: same && complete, reason: whyNone(after, serial) };
}

async function readKeys(
  host: KeyHost,
  { serial, signal }: FindOptions,
): Promise<{ found: EnrollmentKey[]; broken: KiwiError | undefined; complete: boolean }> {
  const { keys } = await host.ask({ op: 'read', ...(serial ? { serial } : {}) }, signal ? { signal } : {});
  const found: EnrollmentKey[] = [];
  let broken: KiwiError | undefined;
  for (const reading of keys) {
    try {
      const key = enrollmentKeyOn(reading);
      if (key !== undefined) found.push(key);
    } catch (error) {
      broken = toKiwiError(error);
    }
  }
  // A YubiKey without its own certificate in f9 was not read completely; one that has really lost it is read repeatedly.
  const complete = keys.length > 0 && keys.every(({ attestationIssuer }) => attestationIssuer !== undefined);
  return { found, broken, complete };
}

function whyNone(readers: readonly Presence[], wanted: number | undefined): KiwiError {
  const serials = readers.flatMap(({ serial }) => serial ?? []);
  if (wanted !== undefined && !serials.includes(wanted)) {
    if (serials.length > 0) return new KiwiError('key-absent', { detail: `serial ${wanted} is not plugged in` });
  } else if (serials.length > 0) {
    return new KiwiError('key-not-enrolled', { detail: `serials ${serials.join(', ')}` });
  }
  return new KiwiError(readers.some(({ held }) => held) ? 'key-busy' : 'key-absent');
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
