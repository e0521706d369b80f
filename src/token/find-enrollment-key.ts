import type { Clock } from '../core/clock.ts';
import { KiwiError, toKiwiError } from '../core/errors.ts';
import { enrollmentNames } from '../pki/roles.ts';
import { enrollmentKeyOn, type EnrollmentKey } from './enrollment-key.ts';
import { hintFor } from './hint-for.ts';
import type { PcscdReaders } from './pcscd-readers.ts';
import type { PivSlot } from './piv-slot.ts';
import { readPresence, type Presence } from './presence.ts';
import type { KeyHost } from './token-host.ts';

export interface TokenEvents {
  /** There is no key yet, and the search waits for one. Called again whenever the reason is another one. */
  waitingForKey?(why: KiwiError): void;
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
/** At least so long: another program may use the key, and that program may be waiting for a touch, which takes 15 s. */
const MIN_PATIENCE_MS = 20_000;

/** See `Token.find`. */
export async function findEnrollmentKey(host: KeyHost, clock: Clock, options: FindOptions): Promise<EnrollmentKey> {
  const { waitMs = 120_000, events = {}, signal } = options;
  const until = clock.monotonic() + waitMs;
  let told = '';
  let before: string | undefined;
  let looked: Look | undefined;
  for (;;) {
    // Reading through the module resets the keys, which disturbs other programs: do it only when pcscd has seen a change.
    const states = await host.readers();
    const now = Array.isArray(states) ? JSON.stringify(states) : undefined;
    if (states === 'silent') looked = hanging(new KiwiError('key-service-hangs', hintFor('key-service-hangs')));
    else if (looked?.settled !== true || now === undefined || now !== before) {
      const patienceMs = Math.max(MIN_PATIENCE_MS, until - clock.monotonic());
      looked = await look({ host, ...options, states, patienceMs }, looked);
    }
    before = now;
    if (looked.found.length > 0) return choose(looked.found, events);
    if (clock.monotonic() >= until) throw looked.reason;
    const { code, detail = '' } = looked.reason;
    if (told !== `${code} ${detail}`) events.waitingForKey?.(looked.reason);
    told = `${code} ${detail}`;
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

interface LookOptions extends FindOptions {
  readonly host: KeyHost;
  readonly states: PcscdReaders;
  readonly patienceMs: number;
}

/** Somebody may restart the service while we wait. */
function hanging(reason: KiwiError): Look {
  return { seen: '', found: [], settled: false, reason };
}

async function look(options: LookOptions, before: Look | undefined): Promise<Look> {
  try {
    return await lookNow(options, before);
  } catch (error) {
    if (error instanceof KiwiError && error.code === 'key-service-hangs') return hanging(error);
    throw error;
  }
}

async function lookNow(options: LookOptions, before: Look | undefined): Promise<Look> {
  const { host } = options;
  const readers = await readPresence(host, options);
  const seen = JSON.stringify(readers);
  // Reading a real key takes seconds.
  if (before?.settled === true && before.seen === seen) return { ...before, reason: whyNone(readers, options) };
  const { found, broken, complete } = await readKeys(host, options);
  if (found.length > 0) return { seen, found, settled: true, reason: whyNone(readers, options) };
  // libykcs11 shows a key that was unplugged while it was read, or that another program has reset, as one with less in it.
  const after = await readPresence(host, options);
  const same = JSON.stringify(after) === seen;
  if (same && broken !== undefined) throw broken;
  return { seen, found, settled: same && complete, reason: whyNone(after, options) };
}

async function readKeys(
  host: KeyHost,
  { serial, signal, patienceMs }: LookOptions,
): Promise<{ found: EnrollmentKey[]; broken: KiwiError | undefined; complete: boolean }> {
  const request = { op: 'read', ...(serial === undefined ? {} : { serial }) } as const;
  const { keys } = await host.ask(request, { patienceMs, ...(signal === undefined ? {} : { signal }) });
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

/** A held key comes first: it may be the one that is looked for. */
function whyNone(readers: readonly Presence[], { serial: wanted, states }: LookOptions): KiwiError {
  const held = readers.filter((reader) => reader.held).map(({ reader }) => reader);
  if (held.length > 0) {
    return new KiwiError('key-busy', { detail: `the one in ${held.join(', ')}`, ...hintFor('key-busy') });
  }
  const serials = readers.flatMap(({ serial }) => serial ?? []);
  if (serials.length === 0) {
    const detail = Array.isArray(states) ? { detail: describeReaders(states) } : {};
    return new KiwiError('key-absent', { ...detail, ...hintFor('key-absent') });
  }
  const there = `plugged in: ${serials.join(', ')}`;
  if (wanted !== undefined && !serials.includes(wanted)) {
    return new KiwiError('key-other', { detail: `serial ${wanted} was asked for; ${there}` });
  }
  return new KiwiError('key-not-enrolled', { detail: there });
}

/** A reader is not always that of a YubiKey, and a YubiKey may be in one where nothing sees it. */
function describeReaders(states: Exclude<PcscdReaders, 'silent' | undefined>): string {
  if (states.length === 0) return 'there is no smart-card reader';
  return states
    .map(({ reader, cardPresent }) => `reader ${reader}: ${cardPresent ? 'no YubiKey' : 'empty'}`)
    .join('; ');
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
