import { rmSync } from 'node:fs';
import path from 'node:path';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { KiwiError, toKiwiError } from '../../../src/core/errors.ts';
import { claim } from '../../../src/laptop/claim/claim.ts';
import { check } from '../../../src/laptop/upkeep/check.ts';
import { ENROLLMENT } from '../../../src/laptop/enrollment/plan.ts';
import { enroll } from '../../../src/laptop/enrollment/enroll.ts';
import { RecordFile } from '../../../src/laptop/state/record.ts';
import { uninstall } from '../../../src/laptop/enrollment/uninstall.ts';
import { Journal, undoWasBegun } from '../../../src/laptop/pipeline/journal.ts';
import { claimKey } from '../../../src/pki/claim-token.ts';
import type { Bootstrap } from '../../../src/protocol/bootstrap.ts';
import { openSlice, type LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import { reap } from '../../../src/slice/upkeep/reap.ts';
import { newToken } from '../../fakes/slice/test-claim.ts';
import { enrollEarlier } from './earlier-enrollment.ts';
import type { FaultyNetwork, Weather } from './faulty-network.ts';
import type { FaultySlice } from './faulty-slice.ts';
import { newLaptop, startLife, type Edge, type Laptop, type Life } from './laptop.ts';
import { random, type Random } from '../../random.ts';

export type Kind = 'new' | 'known' | 'uninstalled' | 'claimed';
type Deed = 'enroll' | 'claim' | 'uninstall';

/** A schedule and what came of it. */
export interface Played {
  readonly seed: number;
  readonly kind: Kind;
  readonly laptop: Laptop;
  /** What happened, in words. */
  readonly story: readonly string[];
  /** What must not happen and did. */
  readonly wrong: readonly string[];
  readonly consentId?: string;
  /** Of a laptop that has one. */
  readonly tokenId?: string;
  readonly lives: number;
  readonly deaths: number;
}

export interface Stage {
  readonly slice: FaultySlice;
  readonly network: FaultyNetwork;
  readonly operator: LocalSlice;
  readonly folder: string;
}

/** However bad the network was: with a good one it takes no more starts than this. */
const GOOD_LIVES = 4;
const RISKS = {
  enroll: [0.1, 0.25, 0.5, 0.8],
  claim: [0.1, 0.25, 0.5, 0.8],
  uninstall: [0.25, 0.5, 0.8, 0.95],
} as const;
/** As long as this, whatever was begun can be gone on with. */
const FRESH_MS = 120_000;
const ENDS: ReadonlySet<string> = new Set(['green', 'already-enrolled', 'died', 'waits']);
/** A strike falls on one of as many edges as there are. */
const EDGES = { enroll: 36, claim: 36, uninstall: 12 };

/** Laptops with a token have seeds of their own. */
export const CLAIMS_AFTER = 1000;

export const kindOf = (seed: number): Kind => {
  if (seed > CLAIMS_AFTER) return 'claimed';
  const rest = seed % 10;
  return rest === 0 ? 'uninstalled' : rest <= 3 ? 'known' : 'new';
};

export const openOperator = (slice: FaultySlice): Promise<LocalSlice> => openSlice(slice.kit.dir, slice.clock);

/**
 * Plays the schedule of a seed until the laptop is green, or in the end without an enrollment again.
 * @param judge says what is wrong with the end of it, while everything is still there
 */
export async function playSchedule(
  stage: Stage,
  seed: number,
  judge: (end: Played) => Promise<readonly string[]>,
): Promise<Played> {
  const player = new Player(stage, seed);
  try {
    const end = await player.play();
    return { ...end, wrong: [...end.wrong, ...(await judge(end))] };
  } finally {
    await player.leaveStage();
  }
}

class Player {
  readonly #stage: Stage;
  readonly #seed: number;
  readonly #random: Random;
  readonly #laptop: Laptop;
  readonly #weather: Weather;
  readonly #story: string[] = [];
  readonly #wrong: string[] = [];
  readonly #folder: string;
  /** Why the present start of the program may fail. */
  #excuses: string[] = [];
  #lives = 0;
  readonly #dead: { readonly life: Life; readonly end: Promise<unknown> }[] = [];
  #edges = 0;
  #token: Bootstrap | undefined;
  /** It was removed, so that the laptop's unit does not run any more. */
  #isSpent = false;
  #strike: { at: number; what: 'dies' | 'is cancelled' | 'fails' } | undefined;

  constructor(stage: Stage, seed: number) {
    const { slice, network } = stage;
    this.#stage = stage;
    this.#seed = seed;
    this.#folder = path.join(stage.folder, `${seed}`);
    this.#random = random(seed);
    slice.clock.restart();
    this.#laptop = newLaptop(this.#random.next() < 0.2 ? this.#random.between(-400_000, 400_000) : 0);
    slice.fleet.green = () => this.#laptop.os.agent.installed;
    this.#weather = {
      slice,
      random: this.#random,
      risk: 0,
      tell: (line) => this.#story.push(line),
      excuse: (why) => this.#excuses.push(why),
      edge: this.#edge,
    };
    network.begin(this.#weather);
  }

  async play(): Promise<Played> {
    const kind = kindOf(this.#seed);
    let consentId: string | undefined;
    if (kind === 'known') consentId = await this.#knownBefore();
    if (kind === 'claimed') await this.#delivered();
    await this.#until(kind === 'claimed' ? 'claim' : 'enroll', (outcome) =>
      ['green', 'already-enrolled', 'not-started'].includes(outcome),
    );
    if (kind === 'uninstalled')
      await this.#until('uninstall', (outcome) => outcome === 'gone' || outcome === 'not-enrolled');
    await this.#stage.network.settle();
    return {
      ...{ seed: this.#seed, kind, laptop: this.#laptop, story: this.#story, wrong: this.#wrong },
      ...{ lives: this.#lives, deaths: this.#dead.length },
      ...(consentId === undefined ? {} : { consentId }),
      ...(this.#token === undefined ? {} : { tokenId: this.#token.tokenId }),
    };
  }

  async leaveStage(): Promise<void> {
    const { network, slice } = this.#stage;
    Object.assign(slice.broken, { ca: false, endpoint: false });
    await network.settle();
    network.serve(undefined);
    network.hangUp();
    for (const { life } of this.#dead) life.bury();
    await Promise.all(this.#dead.map(({ end }) => end));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Starts the program again and again: first in bad weather, then in good. */
  async #until(what: Deed, isEnd: (outcome: string) => boolean): Promise<void> {
    const bad = this.#random.pick([1, 1, 1, 1, 1, 2]);
    const risk = this.#random.pick(RISKS[what]);
    for (let n = 1; n <= bad + GOOD_LIVES; n++) {
      const outcome = await this.#life(what, `${what} ${n}`, n <= bad ? risk : 0);
      if (isEnd(outcome)) return;
      await this.#pause();
    }
    this.#wrong.push(`it took more than ${GOOD_LIVES} starts in good weather to ${what}`);
  }

  async #life(what: Deed, title: string, risk: number): Promise<string> {
    const { slice, network, folder } = this.#stage;
    if (what === 'claim' && this.#isSpent) {
      this.#story.push(`${title} is not started: the token is gone`);
      return 'not-started';
    }
    this.#weather.risk = risk;
    this.#edges = 0;
    this.#excuses = [];
    this.#strike =
      risk > 0 && this.#random.next() < 0.5
        ? {
            at: this.#random.between(1, EDGES[what]),
            what: this.#random.pick(['dies', 'dies', 'is cancelled', 'fails']),
          }
        : undefined;
    slice.broken.ca = risk > 0 && this.#random.next() < 0.1;
    slice.broken.endpoint = risk > 0 && this.#random.next() < 0.1;
    this.#story.push(
      `${title}, risk ${risk}${slice.broken.ca ? ', no CA' : ''}${slice.broken.endpoint ? ', no endpoint' : ''}`,
    );
    const life = startLife(this.#laptop, slice, path.join(folder, `${this.#seed}`, `${++this.#lives}`), this.#edge);
    network.serve(life);
    const { signed, age } = await leftOver(life);
    // The session or the time to confirm may be over.
    if (age > FRESH_MS) this.#excuses.push('goes on after a long time');
    const end = what === 'claim' ? claimWith(life, this.#token, this.#spend) : run(what, life);
    const outcome = await Promise.race([life.death.then(() => 'died'), end]);
    if (life.dead) this.#dead.push({ life, end });
    this.#story.push(`  → ${outcome}`);
    if (what !== 'uninstall' && !ENDS.has(outcome) && this.#excuses.length === 0) {
      this.#wrong.push(`${title}: ${outcome}, though trying again would have been enough`);
    }
    if (outcome.startsWith('internal') || outcome.startsWith('state-damaged')) this.#wrong.push(outcome);
    if (life.touches > (signed ? 0 : 1)) {
      this.#wrong.push(`${title}: ${life.touches} touches${signed ? ' with a signature that still counted' : ''}`);
    }
    return outcome;
  }

  readonly #spend = (): Promise<void> => {
    this.#isSpent = true;
    return Promise.resolve();
  };

  /** Time goes by between two starts, and the slice does what nobody asks for. */
  async #pause(): Promise<void> {
    const { slice, network } = this.#stage;
    await network.quiet();
    const seconds = this.#random.pick([1, 1, 20, 20, 60, 400, 1000]);
    slice.clock.pass(seconds * 1000);
    this.#story.push(`${seconds} s later`);
    if (this.#random.next() < 0.5) await reap(slice.context);
  }

  /** The laptop was enrolled; its disk was replaced, and an operator has consented to another enrollment. */
  async #knownBefore(): Promise<string> {
    const { slice, operator } = this.#stage;
    const deviceId = await enrollEarlier(slice, this.#laptop);
    const wish = { hours: 24, why: 'a new disk', newMainboard: false };
    const { consentId } = await operator.ask('consent.give', { device: deviceId, ...wish });
    this.#story.push(`enrolled before as ${deviceId}; new disk, consent`);
    return consentId;
  }

  /** The OEM has put a token on the laptop. */
  async #delivered(): Promise<void> {
    const { slice, operator } = this.#stage;
    const { systemSerial: serial = '', uuid = null } = this.#laptop.hardware;
    const { id, secret } = newToken();
    const given = { id, serial, uuid, model: null, endorsement: null, key: base64url(claimKey(secret, id)) };
    const expiresAt = slice.clock.now() + 365 * 86_400_000;
    await operator.ask('batch.create', { batch: id, role: 'engineer', expiresAt, tokens: [given] });
    const { customer, gateway } = operator.config;
    this.#token = {
      ...{
        version: 1,
        tokenId: id,
        secret: base64url(secret),
        gateway: gateway.url,
        customer,
        role: 'engineer',
        serial,
      },
      ...{ root: digest(slice.root.der), expiresAt: new Date(expiresAt).toISOString() },
    };
  }

  readonly #edge: Edge = async (life, name) => {
    if (life.dead) return life.grave;
    this.#edges += 1;
    const strike = this.#strike;
    if (strike?.at !== this.#edges) return;
    this.#story.push(`  ${strike.what} at ${name}`);
    this.#excuses.push(strike.what);
    if (strike.what === 'dies') {
      life.die();
      await life.grave;
    }
    if (strike.what === 'is cancelled') life.cancel.abort();
    // A network does not fail of itself here: it has its own ways.
    if (strike.what === 'fails' && !/under way|answered/.test(name))
      throw new KiwiError('tunnel-tools-failed', { detail: 'on purpose' });
  };
}

/** Asks a few times, as the unit does. It is stopped as by a shutdown: nothing is undone. */
async function claimWith(
  life: Life,
  bootstrap: Bootstrap | undefined,
  removeToken: () => Promise<void>,
): Promise<string> {
  if (bootstrap === undefined) throw new TypeError('a token');
  const { signal: pause } = life.cancel;
  const { signal } = new AbortController();
  const options = { ...life.options, signal, pause, bootstrap, removeToken };
  try {
    for (let asked = 0; asked < 4 && !pause.aborted; asked++) {
      const claimed = await claim(options, () => undefined);
      if (claimed.state === 'claimed') return 'green';
      await options.clock.sleep(30_000);
    }
    return 'waits';
  } catch (thrown) {
    const error = toKiwiError(thrown);
    return error.code === 'internal' ? `internal: ${error.detail ?? ''}` : error.code;
  }
}

async function run(what: 'enroll' | 'uninstall', life: Life): Promise<string> {
  try {
    if (what === 'enroll') {
      await enroll(life.options, () => undefined);
      return 'green';
    }
    const { farewell, leftBehind } = await uninstall(life.options, () => undefined);
    return leftBehind.length > 0 ? `left behind: ${leftBehind.join(', ')}` : farewell === 'told' ? 'gone' : farewell;
  } catch (thrown) {
    const error = toKiwiError(thrown);
    if (error.code === 'not-enrolled') return afterwards(life);
    return error.code === 'internal' ? `internal: ${error.detail ?? ''}` : error.code;
  }
}

/** The program comes from time to time to tell what could not be told. */
async function afterwards(life: Life): Promise<string> {
  const { farewells } = await check(life.options, () => undefined);
  return farewells.some(({ error }) => error !== undefined) ? 'a farewell waits' : 'not-enrolled';
}

/** What an earlier start left: a statement that counts needs no touch any more; and how long ago it began, milliseconds. */
async function leftOver(life: Life): Promise<{ signed: boolean; age: number }> {
  const { platform, clock } = life.options;
  const record = await new RecordFile(platform.stateFolder).load();
  const entries = await new Journal(path.join(platform.stateFolder, 'journal.jsonl'), ENROLLMENT).read();
  if (record === undefined || undoWasBegun(entries)) return { signed: false, age: 0 };
  return { signed: record.exchange?.statement !== undefined, age: clock.now() - Date.parse(record.startedAt) };
}

export function recordOf(laptop: Laptop): ReturnType<RecordFile['load']> {
  const { life } = laptop;
  if (life === undefined) return Promise.resolve(undefined);
  return new RecordFile(life.options.platform.stateFolder).load();
}
