import type { EnrollEvent } from '../../laptop/enrollment/enroll.ts';
import type { EnrollmentRecord } from '../../laptop/state/record.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import type { FarewellOutcome } from '../../laptop/standing/tell-farewells.ts';
import type { PlanEvent } from '../../laptop/pipeline/run-plan.ts';
import { triesLeft } from '../../token/pin.ts';
import { errorFields, printJson, seconds } from '../../terminal/report.ts';

/** How an enrollment is told, to a person or to a program. PIN questions are asked by the caller. */
export interface EnrollOutput {
  event(event: EnrollEvent | PlanEvent): void;
  readonly person: Omit<Person, 'askPin' | 'chooseKey'>;
  /** The PIN is read from a descriptor now: for a program that asks the person itself. */
  pinExpected(key: Parameters<Person['askPin']>[0]): void;
  done(record: EnrollmentRecord, ms: number): void;
}

/**
 * For a person: a line a step on stderr, the answer on stdout. No meaning by colour or position alone, each line complete
 * when it is written, so that a screen reader reads it once.
 */
export function humanOutput(): EnrollOutput {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const width = 34;
  return {
    event(event) {
      switch (event.type) {
        case 'resumed':
          say(`Going on with the enrollment begun at ${event.startedAt}.`);
          break;
        case 'farewell':
          say(farewellLine(event));
          break;
        case 'undo-resumed':
          say('An earlier run was cut off while it took back what it had done: first the rest of that.');
          break;
        case 'step-started':
          break;
        case 'step-done':
          say(`✓ ${event.title.padEnd(width)} ${event.kept ? 'was done' : seconds(event.ms)}`);
          break;
        case 'step-failed':
          say(`✗ ${event.title.padEnd(width)} failed after ${seconds(event.ms)}`);
          break;
        case 'undo-started':
          say('Taking back what was done:');
          break;
        case 'step-undone':
          say(`↶ ${event.title.padEnd(width)} undone, ${seconds(event.ms)}`);
          break;
        case 'undo-failed':
          say(`! ${event.title.padEnd(width)} could NOT be undone: ${event.error.detail ?? event.error.message}`);
          say(
            '  Run `kiwistack-enroll uninstall` to take the rest back; `enroll` does that, too, before it begins anew.',
          );
          break;
      }
    },
    person: {
      waitingForKey: () => {
        say('  Plug in your YubiKey …');
      },
      keyFound: ({ serial, role, customer }) => {
        say(`  YubiKey ${serial}: ${role} at ${customer}`);
      },
      sliceProven: ({ customer, gatewayUrl, code, skewMs }) => {
        say(`  ${customer} (${gatewayUrl}) has proved itself. Session code: ${code.slice(0, 3)} ${code.slice(3)}`);
        if (Math.abs(skewMs) > 60_000) {
          const minutes = Math.round(Math.abs(skewMs) / 60_000);
          say(`  Note: the clock of this laptop is ${minutes} min ${skewMs > 0 ? 'behind' : 'ahead'}.`);
        }
      },
      touchExpected: () => {
        say('  TOUCH your YubiKey now: its light blinks (you have 15 seconds).');
      },
      touched: () => {
        say('  Touched. You need not do anything more.');
      },
    },
    pinExpected: () => undefined,
    done(record, ms) {
      const { device } = record;
      process.stdout.write(
        `${device?.hostName ?? 'This laptop'} is enrolled with ${record.customer} and green in Fleet (${seconds(ms)}). ` +
          `The tunnel is up (${device?.address ?? ''}); it and the Fleet agent start by themselves from now on.\n`,
      );
    },
  };
}

/** For a program: an event a line on stdout; the last one has `result`. */
export function jsonOutput(): EnrollOutput {
  return {
    event(event) {
      const { error } = 'error' in event ? event : {};
      printJson(error === undefined ? event : { ...event, error: errorFields(error) });
    },
    person: {
      waitingForKey: () => {
        printJson({ type: 'waiting-for-key' });
      },
      keyFound: (key) => {
        printJson({ type: 'key-found', ...key });
      },
      sliceProven: (slice) => {
        printJson({ type: 'slice-proven', ...slice });
      },
      touchExpected: () => {
        printJson({ type: 'touch-expected' });
      },
      touched: () => {
        printJson({ type: 'touched' });
      },
    },
    pinExpected: ({ serial, state }) => {
      printJson({ type: 'pin-expected', serial, tries: state });
    },
    done(record, ms) {
      printJson({ type: 'result', result: 'green', ms, customer: record.customer, ...record.device });
    },
  };
}

/** What became of a farewell that waited. */
export function farewellLine({ customer, error }: FarewellOutcome): string {
  return error === undefined
    ? `${customer} was told that this laptop had left.`
    : `${customer} could not be told yet that this laptop had left: ${error.message}`;
}

/** The question for the PIN, with the tries left when there are few. */
export function pinPrompt(key: Parameters<Person['askPin']>[0]): string {
  return `  PIN of YubiKey ${key.serial} (${triesLeft(key.state)}): `;
}
