import { KiwiError } from '../../core/errors.ts';
import type { ClaimEvent } from '../../laptop/claim/claim-at-first-start.ts';
import type { ShownRecord } from '../../local-api/replies.ts';
import type { Person } from '../../laptop/enrollment/person.ts';
import type { FarewellOutcome } from '../../laptop/standing/tell-farewells.ts';
import type { PlanEvent } from '../../laptop/pipeline/run-plan.ts';
import { triesLeft } from '../../token/pin.ts';
import type { PinQuestion } from '../../terminal/ask-pin.ts';
import { errorFields, printJson, seconds } from '../../terminal/report.ts';

/** Reports an enrollment, to a person or to a program. The caller asks for the PIN. */
export interface EnrollOutput {
  event(event: ClaimEvent | PlanEvent): void;
  readonly person: Omit<Person, 'askPin' | 'chooseKey'>;
  /** Before anything is done: what was agreed to beside the enrollment. */
  signInAgreed(): void;
  /** An operation waits for another program. */
  waiting(what: string): void;
  /** The PIN is about to be read from a descriptor; a program that prompts for it itself does so now. */
  pinExpected(key: Parameters<Person['askPin']>[0]): void;
  done(record: ShownRecord, ms: number): void;
}

/**
 * For a person: one line per step on stderr, the answer on stdout. Nothing is conveyed by colour or position alone, and each
 * line is complete when it is written, so that a screen reader reads it once.
 */
export function humanOutput(): EnrollOutput {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const width = 34;
  return {
    event(event) {
      switch (event.type) {
        case 'resumed':
          say(`Resuming the enrollment started at ${event.startedAt}.`);
          break;
        case 'farewell':
          say(farewellLine(event));
          break;
        case 'certificate-renewed':
          say(
            `The device certificate was out of date. It was renewed: number ${event.number}, valid until ${event.notAfter}.`,
          );
          break;
        case 'certificate-expired':
          say(
            event.replaced === true
              ? 'Your organisation has new keys: the enrollment is removed, and this laptop enrolls again.'
              : `The device certificate expired at ${event.at}: the enrollment is removed, and this laptop enrolls again.`,
          );
          break;
        case 'undo-resumed':
          say('An earlier run was interrupted while it undid its changes. Undoing the rest first.');
          break;
        case 'step-started':
          break;
        case 'step-done':
          say(`✓ ${event.title.padEnd(width)} ${event.kept ? 'already done' : seconds(event.ms)}`);
          break;
        case 'step-failed':
          say(`✗ ${event.title.padEnd(width)} failed after ${seconds(event.ms)}`);
          break;
        case 'step-retried':
          say(`  ${event.title}: ${event.error.message} Again in ${seconds(event.delayMs)}.`);
          break;
        case 'step-waits':
          say(`… ${event.title.padEnd(width)} waits for ${event.for}`);
          break;
        case 'claim-retried':
          say(`  ${event.error.message} ${event.error.hint} Tried again in ${seconds(event.delayMs)}.`);
          break;
        case 'undo-started':
          say('Undoing changes:');
          break;
        case 'step-undone':
          say(`↶ ${event.title.padEnd(width)} undone, ${seconds(event.ms)}`);
          break;
        case 'undo-failed':
          say(`! ${event.title.padEnd(width)} could NOT be undone: ${event.error.detail ?? event.error.message}`);
          break;
      }
    },
    person: {
      waitingForKey: (why) => {
        say(`  ${waitingLine(why)}`);
      },
      keyFound: ({ serial, role, customer }) => {
        say(`  YubiKey ${serial}: ${role} at ${customer}`);
      },
      sliceProven: ({ customer, gatewayUrl, code, skewMs, keyInFile }) => {
        say(`  Verified: ${customer}, ${gatewayUrl}. Session code: ${code.slice(0, 3)} ${code.slice(3)}`);
        if (Math.abs(skewMs) > 60_000) {
          const minutes = Math.round(Math.abs(skewMs) / 60_000);
          say(`  Note: this laptop's clock is ${minutes} min ${skewMs > 0 ? 'behind' : 'ahead'}.`);
        }
        if (keyInFile !== undefined) {
          say(`  Note: the device key stays in a file. ${new KiwiError(keyInFile).message}`);
        }
      },
      touchExpected: () => {
        say('  TOUCH your YubiKey now: its light is blinking (you have 15 seconds).');
      },
      touched: () => {
        say('  Touched. Nothing more is needed from you.');
      },
    },
    signInAgreed: () => {
      say('  With sign-in: who has an account of your organisation can sign in to this laptop, if it offers that.');
    },
    waiting: (what) => say(`  Waiting for ${what} …`),
    pinExpected: () => undefined,
    done(record, ms) {
      const { device } = record;
      process.stdout.write(
        `${device?.hostName ?? 'This laptop'} is enrolled with ${record.customer} and online in Fleet (${seconds(ms)}).\n` +
          `The tunnel is up (${device?.address ?? ''}). It and the Fleet agent start automatically from now on.\n`,
      );
    },
  };
}

/** For a program: one event per line on stdout; the last one has `result`. */
export function jsonOutput(): EnrollOutput {
  return {
    event(event) {
      const { error } = 'error' in event ? event : {};
      printJson(error === undefined ? event : { ...event, error: errorFields(error) });
    },
    person: {
      waitingForKey: (why) => {
        printJson({ type: 'waiting-for-key', reason: errorFields(why) });
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
    signInAgreed: () => undefined,
    waiting: (what) => {
      printJson({ type: 'waiting', for: what });
    },
    pinExpected: ({ serial, state }) => {
      printJson({ type: 'pin-expected', serial, tries: state });
    },
    done(record, ms) {
      printJson({ type: 'result', result: 'green', ms, customer: record.customer, ...record.device });
    },
  };
}

/** What is in the way of a YubiKey, and what ends the wait for it. */
function waitingLine({ code, message, detail }: KiwiError): string {
  const seen = detail === undefined ? '' : ` (${detail})`;
  switch (code) {
    case 'key-absent':
      return `Plug in your YubiKey …${seen}`;
    case 'key-busy': {
      // The service of macOS looks at a card itself when it comes.
      const itself = process.platform === 'darwin' ? ', or wait until macOS has looked at the key' : '';
      return `${message}${seen} Close it (for gpg-agent: \`gpgconf --kill scdaemon\`)${itself} …`;
    }
    case 'key-service-hangs':
      if (process.platform !== 'linux') return `${message}${seen} Unplug the YubiKey and plug it in …`;
      return `${message}${seen} Restart it in another terminal: \`sudo systemctl restart pcscd.service\` …`;
    default:
      return `${message}${seen} Plug in the right one …`;
  }
}

/** The outcome of a pending deregistration. */
export function farewellLine({ customer, error }: FarewellOutcome): string {
  return error === undefined
    ? `The pending deregistration was reported to ${customer}.`
    : `The pending deregistration could not be reported to ${customer} yet: ${error.message}`;
}

/** The question for the PIN, with the number of tries left. */
export function pinQuestion({ serial, state, refused }: Parameters<Person['askPin']>[0]): PinQuestion {
  return { prompt: `  PIN of YubiKey ${serial} (${triesLeft(state)}): `, refused, lastTry: state === 'final' };
}
