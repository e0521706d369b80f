import type { KeyObject } from 'node:crypto';

import { digest } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import type { EnrollmentKey, Token } from '../../token/token.ts';
import { checkGrant, type CheckedGrant } from '../exchange/check-grant.ts';
import { openChallenge, type OpenedChallenge } from '../exchange/open-challenge.ts';
import type { SliceAuthority } from '../exchange/open-device-status.ts';
import { sliceAuthority } from '../exchange/slice-authority.ts';
import { GatewayClient, type DeviceIdentity } from '../gateway-client/gateway-client.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { Platform } from '../system/platform.ts';
import type { Person } from './person.ts';

export interface EnrollmentOptions {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly person: Person;
  /** The provider's roots that this laptop believes, pinned by its package. */
  readonly pinnedRoots: readonly Certificate[];
  readonly openToken: () => Promise<Token>;
  /** Only the YubiKey with this serial. */
  readonly yubikeySerial?: number;
  /** How long to wait for a key, milliseconds. */
  readonly waitForKeyMs?: number;
}

/**
 * What the steps of one enrollment share: the record on the disk, and what can be had again from it after an interruption.
 * Holds no secret but the device key's handle.
 */
export class EnrollmentRun {
  readonly options: EnrollmentOptions;
  /** An earlier run of this enrollment was cut off, and this one goes on with it. */
  readonly resumed: boolean;
  readonly #file: RecordFile;
  #record: EnrollmentRecord | undefined;
  #client: GatewayClient | undefined;
  #opened: OpenedChallenge | undefined;
  #granted: CheckedGrant | undefined;
  #token: Promise<Token> | undefined;
  /** The key in hand; absent when an earlier run had its signature already. */
  key: EnrollmentKey | undefined;

  constructor(options: EnrollmentOptions, file: RecordFile, record: EnrollmentRecord | undefined) {
    this.options = options;
    this.#file = file;
    this.#record = record;
    this.resumed = record !== undefined;
  }

  get platform(): Platform {
    return this.options.platform;
  }

  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** Undefined before a key was found. */
  get recordIfAny(): EnrollmentRecord | undefined {
    return this.#record;
  }

  get record(): EnrollmentRecord {
    if (this.#record === undefined) throw new TypeError('no key was found yet');
    return this.#record;
  }

  get exchange(): NonNullable<EnrollmentRecord['exchange']> {
    const { exchange } = this.record;
    if (exchange === undefined) throw new TypeError('there was no exchange with the slice yet');
    return exchange;
  }

  async save(change: Partial<EnrollmentRecord>): Promise<void> {
    const record: EnrollmentRecord = { ...this.record, ...change };
    await this.#file.save(record);
    this.#record = record;
  }

  async begin(record: EnrollmentRecord): Promise<void> {
    await this.#file.save(record);
    this.#record = record;
  }

  async saveExchange(change: Partial<NonNullable<EnrollmentRecord['exchange']>>): Promise<void> {
    await this.save({ exchange: { ...this.exchange, ...change } });
  }

  /** The slice has refused these bytes: they need not be sent again. */
  async forgetStatement(): Promise<void> {
    const { statement: _, ...exchange } = this.exchange;
    await this.save({ exchange });
  }

  /** The last save: the exchange with the slice has done its work and goes. */
  async finish(): Promise<void> {
    const { exchange: _, ...record } = this.record;
    await this.#file.save({ ...record, state: 'active' });
    this.#record = { ...record, state: 'active' };
  }

  token(): Promise<Token> {
    return (this.#token ??= this.options.openToken());
  }

  /** Begins with what `token` does; its failure shows where the token is used. */
  warmUpToken(): void {
    this.token().catch(() => undefined);
  }

  async client(): Promise<GatewayClient> {
    this.#client ??= new GatewayClient({
      gatewayUrl: this.record.gatewayUrl,
      systemCa: (await this.platform.trust.systemCaBundle()) ?? '',
      clock: this.options.clock,
    });
    return this.#client;
  }

  async deviceKey(): Promise<KeyObject> {
    const key = await this.platform.certificates.loadDeviceKey(this.record.slug);
    if (key === undefined) throw new KiwiError('state-damaged', { detail: 'the device key is gone' });
    return key;
  }

  async device(): Promise<DeviceIdentity> {
    const { deviceId } = this.record.device ?? (await this.granted()).grant;
    return { deviceId, key: await this.deviceKey(), slice: await this.#authority() };
  }

  /** Whose word counts: as long as the exchange is there, the slice that proved itself in it. */
  async #authority(): Promise<SliceAuthority> {
    const { pinnedRoots: roots } = this.options;
    if (this.record.exchange === undefined) return sliceAuthority(this.platform, this.record.slug, roots);
    return { intermediate: this.opened().intermediate, roots };
  }

  /** The challenge, verified; from the record when an earlier step or run got it. */
  opened(): OpenedChallenge {
    const { keyCertificate, hello, challenge, challengeAt } = this.exchange;
    this.#opened ??= openChallenge({
      jws: challenge,
      helloBytes: Buffer.from(hello),
      slug: this.record.slug,
      keyCertificate: parseCertificate(keyCertificate),
      roots: this.options.pinnedRoots,
      now: Date.parse(challengeAt),
    });
    return this.#opened;
  }

  /** The grant, checked; from the record when an earlier step or run got it. */
  async granted(): Promise<CheckedGrant> {
    if (this.#granted !== undefined) return this.#granted;
    const { statement, grant, hostName } = this.exchange;
    if (statement === undefined || grant === undefined) throw new TypeError('there is no grant yet');
    const opened = this.opened();
    this.#granted = await checkGrant(grant, {
      deviceKey: await this.deviceKey(),
      slug: this.record.slug,
      sessionId: opened.challenge.sessionId,
      statementHash: digest(statement),
      hostName,
      customer: this.record.customer,
      role: this.record.role,
      gateway: opened.gateway,
      intermediate: opened.intermediate,
      roots: this.options.pinnedRoots,
      now: new Date(this.options.clock.now() + opened.skewMs),
      confirmed: this.record.device?.confirmed === true,
    });
    return this.#granted;
  }

  /** Forgets what was derived from an exchange that is being replaced. */
  forgetExchange(): void {
    this.#opened = undefined;
    this.#granted = undefined;
  }

  async closeToken(): Promise<void> {
    const token = await this.#token?.catch(() => undefined);
    this.#token = undefined;
    await token?.close();
  }

  async close(): Promise<void> {
    await this.closeToken();
    await this.#client?.close();
  }
}
