import { rmSync } from 'node:fs';
import path from 'node:path';

import { KiwiError, toKiwiError } from '../../../src/core/errors.ts';
import { check } from '../../../src/laptop/upkeep/check.ts';
import { ENROLLMENT } from '../../../src/laptop/enrollment/plan.ts';
import { enroll } from '../../../src/laptop/enrollment/enroll.ts';
import { RecordFile } from '../../../src/laptop/state/record.ts';
import { uninstall } from '../../../src/laptop/enrollment/uninstall.ts';
import { Journal, undoWasBegun } from '../../../src/laptop/pipeline/journal.ts';
import { openSlice, type LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import { reap } from '../../../src/slice/upkeep/reap.ts';
import { enrollEarlier } from './earlier-enrollment.ts';
import type { FaultyNetwork, Weather } from './faulty-network.ts';
import type { FaultySlice } from './faulty-slice.ts';
import { newLaptop, startLife, type Edge, type Laptop, type Life } from './laptop.ts';
import { random, type Random } from '../../random.ts';

export type Kind = 'new' | 'known' | 'uninstalled';

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
const RISKS = { enroll: [0.1, 0.25, 0.5, 0.8], uninstall: [0.25, 0.5, 0.8, 0.95] } as const;
/** As long as this, whatever was begun can be gone on with. */
const FRESH_MS = 120_000;
const ENDS: ReadonlySet<string> = new Set(['green', 'already-enrolled', 'died']);
/** A strike falls on one of as many edges as there are. */
const EDGES = { enroll: 36, uninstall: 12 };

export const kindOf = (seed: number): Kind => {
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
    await this.#until('enroll', (outcome) => outcome === 'green' || outcome === 'already-enrolled');
    if (kind === 'uninstalled')
      await this.#until('uninstall', (outcome) => outcome === 'gone' || outcome === 'not-enrolled');
    await this.#stage.network.settle();
    return {
      ...{ seed: this.#seed, kind, laptop: this.#laptop, story: this.#story, wrong: this.#wrong },
      ...{ lives: this.#lives, deaths: this.#dead.length },
      ...(consentId === undefined ? {} : { consentId }),
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
  async #until(what: 'enroll' | 'uninstall', isEnd: (outcome: string) => boolean): Promise<void> {
    const bad = this.#random.pick([1, 1, 1, 1, 1, 2]);
    const risk = this.#random.pick(RISKS[what]);
    for (let n = 1; n <= bad + GOOD_LIVES; n++) {
      const outcome = await this.#life(what, `${what} ${n}`, n <= bad ? risk : 0);
      if (isEnd(outcome)) return;
      await this.#pause();
    }
    this.#wrong.push(`it took more than ${GOOD_LIVES} starts in good weather to ${what}`);
  }

  async #life(what: 'enroll' | 'uninstall', title: string, risk: number): Promise<string> {
    const { slice, network, folder } = this.#stage;
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
    const end = run(what, life);
    const outcome = await Promise.race([life.death.then(() => 'died'), end]);
    if (life.dead) this.#dead.push({ life, end });
    this.#story.push(`  → ${outcome}`);
    if (what === 'enroll' && !ENDS.has(outcome) && this.#excuses.length === 0) {
      this.#wrong.push(`${title}: ${outcome}, though trying again would have been enough`);
    }
    if (outcome.startsWith('internal') || outcome.startsWith('state-damaged')) this.#wrong.push(outcome);
    if (life.touches > (signed ? 0 : 1)) {
      this.#wrong.push(`${title}: ${life.touches} touches${signed ? ' with a signature that still counted' : ''}`);
    }
    return outcome;
  }

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
