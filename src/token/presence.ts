import { KiwiError } from '../core/errors.ts';
import type { SlotKey } from './enrollment-key.ts';
import { hintFor } from './hint-for.ts';
import type { AskOptions, KeyHost } from './token-host.ts';
import type { HostAnswer } from './wire/messages.ts';

export type Presence = HostAnswer<'presence'>['readers'][number];

/** Which YubiKeys are plugged in. Where pcscd can tell the two apart, an empty reader is not reported as a held key. */
export async function readPresence(
  host: KeyHost,
  { signal, patienceMs }: Pick<AskOptions, 'signal' | 'patienceMs'> = {},
): Promise<readonly Presence[]> {
  const { readers } = await host.ask(
    { op: 'presence' },
    { ...(signal === undefined ? {} : { signal }), ...(patienceMs === undefined ? {} : { patienceMs }) },
  );
  if (readers.every(({ held }) => !held)) return readers;
  const states = await host.readers();
  if (states === undefined || states === 'silent') return readers;
  return readers.map((reader) => {
    const state = states.find((candidate) => candidate.reader === reader.reader);
    return state === undefined ? reader : { ...reader, held: reader.held && state.cardPresent };
  });
}

/** Finds a key that was there before. @throws KiwiError `key-removed`, `key-changed`, `key-busy` */
export async function findAgain(
  host: KeyHost,
  key: Pick<SlotKey, 'serial' | 'reader'>,
  signal?: AbortSignal,
): Promise<Presence> {
  const readers = await readPresence(host, signal === undefined ? {} : { signal });
  const there = readers.find(({ serial }) => serial === key.serial);
  if (there !== undefined) return there;
  const instead = readers.find(({ reader }) => reader === key.reader);
  if (instead?.serial !== undefined) {
    throw new KiwiError('key-changed', { detail: `serial ${instead.serial} is in its place` });
  }
  const code = instead?.held === true ? 'key-busy' : 'key-removed';
  throw new KiwiError(code, { detail: `serial ${key.serial} is gone`, ...hintFor(code) });
}
