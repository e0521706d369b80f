import type { Bootstrap } from '../../protocol/bootstrap.ts';
import type { EnrollmentKey, Token } from '../../token/token.ts';
import type { OpenedChallenge } from '../exchange/open-challenge.ts';
import type { PackageAnswer } from '../fleet-agent/download-package.ts';
import type { Plan } from '../pipeline/run-plan.ts';
import type { Step } from '../pipeline/step.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { KnownEnrollment } from './known-enrollment.ts';
import type { Person } from './person.ts';

/** An enrollment by a person with a YubiKey. */
export interface EnrollmentOptions extends LaptopContext {
  readonly person: Person;
  readonly openToken: () => Promise<Token>;
  /** Only the YubiKey with this serial. */
  readonly yubikeySerial?: number;
  /** How long to wait for a key, milliseconds. */
  readonly waitForKeyMs?: number;
  /** The person agrees that people sign in to this laptop with the account of their organisation. */
  readonly signIn?: boolean;
}

/** One by the token that the laptop was delivered with, and by nobody. */
export interface ClaimOptions extends LaptopContext {
  readonly person: Pick<Person, 'sliceProven'>;
  readonly bootstrap: Bootstrap;
  /** The request to stop, after which a later run goes on: nothing is undone, as after a power cut. */
  readonly pause: AbortSignal;
  /** Removes the token from this laptop, once the slice has said that it is used up. Safe to repeat. */
  readonly removeToken: () => Promise<void>;
}

/**
 * A step of the enrollment. Its undo is given less, because an enrollment is removed without a person and without a YubiKey.
 */
export type EnrollmentStep = Step<EnrollmentRun, KnownEnrollment>;
export type EnrollmentPlan = Plan<EnrollmentRun, KnownEnrollment>;

/** Hello and challenge, verified and not recorded yet. */
export interface Meeting {
  readonly attemptId: string;
  readonly exchange: NonNullable<EnrollmentRecord['exchange']>;
  readonly opened: OpenedChallenge;
}

/** What the steps of one enrollment share: the enrollment as recorded on disk, the person, and the YubiKey in use. */
export class EnrollmentRun extends KnownEnrollment {
  readonly options: EnrollmentOptions | ClaimOptions;
  /** True when this run resumes an interrupted one. */
  readonly resumed: boolean;
  #token: Promise<Token> | undefined;
  /** The key in use; absent when an earlier run already got its signature. */
  key: EnrollmentKey | undefined;
  /** For the statement: that the device key is in the TPM, as this run has proven it in the exchange on record. */
  tpmProof: string | undefined;
  /** The agent's package, if it is already on its way. */
  package: Promise<PackageAnswer> | undefined;

  constructor(options: EnrollmentOptions | ClaimOptions, file: RecordFile, record: EnrollmentRecord | undefined) {
    super(options, file, record);
    this.options = options;
    this.resumed = record !== undefined;
  }

  async begin(record: EnrollmentRecord): Promise<void> {
    await this.replace(record);
  }

  /** From now on this is the exchange with the slice. */
  async meet({ attemptId, exchange }: Meeting, tpmProof?: string): Promise<void> {
    this.forgetExchange();
    await this.save({ attemptId, exchange, proxy: (await this.client()).proxy });
    this.opened();
    this.tpmProof = tpmProof;
  }

  /** The last save: the exchange with the slice is no longer needed and is dropped. */
  async finish(): Promise<void> {
    const { exchange: _, ...record } = this.record;
    await this.replace({ ...record, state: 'active', proxy: (await this.client()).proxy });
  }

  /** Of a person with a YubiKey. */
  get staff(): EnrollmentOptions {
    if ('bootstrap' in this.options) throw new TypeError('a claim, in which there is no person');
    return this.options;
  }

  /** Of a laptop with a token; undefined where a person vouches for it. */
  get bootstrap(): Bootstrap | undefined {
    return 'bootstrap' in this.options ? this.options.bootstrap : undefined;
  }

  /** As `ClaimOptions`. */
  async removeToken(): Promise<void> {
    if ('bootstrap' in this.options) await this.options.removeToken();
  }

  token(): Promise<Token> {
    return (this.#token ??= this.staff.openToken());
  }

  /** Starts to open the token early; a failure surfaces where the token is used. */
  warmUpToken(): void {
    this.token().catch(() => undefined);
  }

  async closeToken(): Promise<void> {
    const token = await this.#token?.catch(() => undefined);
    this.#token = undefined;
    await token?.close();
  }

  override async close(): Promise<void> {
    await this.closeToken();
    await super.close();
  }
}
