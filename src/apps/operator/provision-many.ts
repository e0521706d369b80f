import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import type { AboutSlice } from '../../protocol/operator-records.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { firmwareFlaw } from '../../slice/operator/open-slice.ts';
import type { Yubikey } from '../../token/list-yubikeys.ts';
import { resetPiv, setAccess, type AccessSecrets } from '../../token/set-access.ts';
import type { Token } from '../../token/token.ts';
import { provisionYubikey } from './provision-yubikey.ts';
import { renderLetter, sealHandover, type HandoverParts } from './provisioning/handover.ts';
import type { ListedKey } from './provisioning/key-list.ts';
import { clearSecrets, makeSecrets } from './provisioning/key-secrets.ts';

export interface ManyRequest {
  readonly slice: OperatorSlice;
  readonly token: Token;
  readonly keys: readonly ListedKey[];
  readonly recipient: P256Jwk;
  /** The folder for what is handed over: SERIAL.sealed for each key. */
  readonly handover: string;
  /** The folder for the letters with the PIN, if they are asked for. */
  readonly letters?: string;
  /** Erase keys that are no new ones. */
  readonly reset: boolean;
  readonly fips: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly tell: (event: ManyEvent) => void;
}

export type ManyEvent =
  | { readonly type: 'waiting'; readonly left: readonly number[] }
  | { readonly type: 'begun' | 'skipped'; readonly serial: number; readonly name: string; readonly text: string }
  | { readonly type: 'progress' | 'unlisted'; readonly serial: number; readonly text: string }
  | {
      readonly type: 'done';
      readonly serial: number;
      readonly name: string;
      readonly fips: boolean;
      readonly firmware: string;
      readonly left: number;
    }
  | {
      readonly type: 'failed';
      readonly serial: number;
      readonly name: string;
      readonly error: KiwiError;
      readonly left: number;
    };

export interface ManyOutcome {
  readonly done: readonly number[];
  readonly skipped: readonly number[];
  readonly failed: readonly { readonly serial: number; readonly code: string }[];
}

const POLL_MS = 500;

/**
 * Provisions the keys of a list as they are plugged in, in any order. What the slice has registered already is skipped, so a run that was cut off is
 * gone on with by running it again. A key that fails is left out, and the others go on.
 * @throws KiwiError `ca-unavailable`
 */
export async function provisionMany(request: ManyRequest): Promise<ManyOutcome> {
  const { slice, token, keys, clock, signal, tell } = request;
  const about = await slice.ask('slice.about');
  for (const folder of [request.handover, request.letters]) {
    if (folder !== undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  const registered = new Set(
    (await slice.ask('yubikey.list')).filter(({ burnedAt }) => burnedAt === null).map(({ serial }) => serial),
  );
  const skipped = keys.filter(({ serial }) => registered.has(serial));
  for (const { serial, name } of skipped) tell({ type: 'skipped', serial, name, text: 'is registered already' });
  const left = new Map(keys.filter(({ serial }) => !registered.has(serial)).map((key) => [key.serial, key]));
  const told = new Set<number>();
  const outcome = { done: [] as number[], failed: [] as { serial: number; code: string }[] };
  for (let waiting = false; left.size > 0;) {
    const plugged = await token.list(signal);
    for (const { serial } of plugged) {
      if (keys.some((key) => key.serial === serial) || told.has(serial)) continue;
      told.add(serial);
      tell({ type: 'unlisted', serial, text: 'is not on the list, and is left alone' });
    }
    const yubikey = plugged.find(({ serial }) => left.has(serial));
    const key = left.get(yubikey?.serial ?? 0);
    if (yubikey === undefined || key === undefined) {
      if (!waiting) tell({ type: 'waiting', left: [...left.keys()] });
      waiting = true;
      await clock.sleep(POLL_MS, signal);
      continue;
    }
    waiting = false;
    const { serial, name } = key;
    tell({ type: 'begun', serial, name, text: key.role });
    try {
      const { fips, firmware } = await provisionOne(request, about, key, yubikey);
      left.delete(serial);
      outcome.done.push(serial);
      tell({ type: 'done', serial, name, fips, firmware, left: left.size });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toKiwiError(thrown);
      // The next one would fail as well.
      if (error.code === 'ca-unavailable') throw error;
      left.delete(serial);
      outcome.failed.push({ serial, code: error.code });
      tell({ type: 'failed', serial, name, error, left: left.size });
    }
  }
  return { ...outcome, skipped: skipped.map(({ serial }) => serial) };
}

async function provisionOne(
  request: ManyRequest,
  about: AboutSlice,
  key: ListedKey,
  { firmware, reader }: Yubikey,
): Promise<{ fips: boolean; firmware: string }> {
  const { slice, token, signal } = request;
  const { serial, role } = key;
  // Before anything on it is changed.
  const old = firmwareFlaw(firmware, about.firmware.minimum);
  if (old !== undefined && about.firmware.older === 'refuse') throw new KiwiError('policy-refused', { detail: old });
  if (!(await slice.ask('slice.issues')).ready)
    throw new KiwiError('ca-unavailable', { detail: 'step-ca does not answer' });
  if (request.reset) await resetPiv(serial, signal);
  const secrets = makeSecrets();
  try {
    await handOver(
      request,
      { customer: about.customer.name, key, secrets, at: new Date(request.clock.now()) },
      { firmware, reader },
    );
    return await provisionYubikey({
      ...{ slice, token, role, serial, reinstate: false, fips: request.fips, signal },
      managementKey: secrets.managementKey,
      askPin: ({ refused }) => (refused === undefined ? Promise.resolve(copyOf(secrets.pin)) : Promise.reject(refused)),
      progress: (text) => request.tell({ type: 'progress', serial, text }),
    });
  } finally {
    clearSecrets(secrets);
  }
}

/**
 * Sets the secrets of a key. They are sealed on the disk before the first of them is set, so that no crash leaves a key that nobody can open; what an
 * earlier run has sealed is replaced only when this key has turned out to be a new one.
 */
async function handOver(
  request: ManyRequest,
  parts: HandoverParts,
  found: Pick<Yubikey, 'firmware' | 'reader'>,
): Promise<void> {
  const { serial } = parts.key;
  const sealed = path.join(request.handover, `${serial}.sealed`);
  const next = `${sealed}.new`;
  await writeDurableFile(next, `${await sealHandover(request.recipient, parts)}\n`, 0o600);
  try {
    await setAccess({
      ...{ serial, ...found, secrets: parts.secrets, signal: request.signal },
      begun: () => rename(next, sealed),
    });
  } finally {
    await rm(next, { force: true });
  }
  if (request.letters !== undefined) {
    const letter = renderLetter(parts);
    await writeDurableFile(path.join(request.letters, `${serial}.txt`), letter, 0o600);
    letter.fill(0);
  }
}

const copyOf = (secret: AccessSecrets['pin']): SecretBytes => new SecretBytes(Buffer.from(secret.bytes));
