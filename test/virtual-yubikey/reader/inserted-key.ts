import { setTimeout as sleep } from 'node:timers/promises';
import { Card } from '../card.ts';
import { loadState, saveState } from '../key/state.ts';
import { statusBytes } from '../wire/status-word.ts';
import { connectToVpcd } from '../wire/vpcd.ts';
import type { FaultScript } from './faults.ts';
import type { TouchSensor } from './touch-sensor.ts';

/** What surrounds the key in the reader. */
export interface Surroundings {
  readonly touch: TouchSensor;
  readonly faults: FaultScript;
  readonly pulled: () => void;
}

/** A key that is plugged in. */
export interface InsertedKey {
  readonly card: Card;
  readonly stateFile: string;
  /** APDUs since it was plugged in. */
  readonly apdus: () => number;
  /** Pulls it; resolves when the connection is closed. */
  readonly pull: () => Promise<void>;
}

/** Plugs the key of a state file into vpcd's slot at `port`. */
export async function insertKey(port: number, stateFile: string, around: Surroundings): Promise<InsertedKey> {
  const removal = new AbortController();
  const card: Card = new Card(loadState(stateFile), {
    // A pulled key has no power to write with; what it had not written is lost, as in the hand.
    save: (state) => {
      if (!removal.signal.aborted) saveState(stateFile, state);
    },
    waitForTouch: () => around.touch.wait(card.state.serial, removal.signal),
    now: () => performance.now(),
  });
  const gone = Promise.withResolvers<undefined>();
  let apdus = 0;
  const disconnect = await connectToVpcd(port, {
    powerCycle: () => card.powerCycle(),
    transmit: (apdu) => {
      apdus += 1;
      return transmitWithFaults(card, apdu, around.faults);
    },
    gone: () => {
      removal.abort();
      gone.resolve(undefined);
      around.pulled();
    },
  });
  const pull = async (): Promise<void> => {
    // Before the socket closes: from here on nothing is written to the state file any more.
    removal.abort();
    disconnect();
    await gone.promise;
  };
  return { card, stateFile, apdus: () => apdus, pull };
}

async function transmitWithFaults(card: Card, apdu: Buffer, faults: FaultScript): Promise<Buffer | undefined> {
  let pullAfterwards = false;
  for (const fault of faults.next(card.state.serial, apdu)) {
    switch (fault.action) {
      case 'delay':
        await sleep(fault.ms ?? 0);
        break;
      case 'status':
        return statusBytes(fault.status ?? 0);
      case 'pull':
        if (fault.afterwards !== true) return undefined;
        pullAfterwards = true;
    }
  }
  const answer = await card.transmit(apdu);
  return pullAfterwards ? undefined : answer;
}
