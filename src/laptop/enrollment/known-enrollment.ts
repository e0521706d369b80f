import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { checkGrant, type CheckedGrant } from '../exchange/check-grant.ts';
import { openChallenge, openClaimChallenge, type OpenedChallenge } from '../exchange/open-challenge.ts';
import type { SliceAuthority } from '../exchange/open-slice-answer.ts';
import { sliceAuthority } from '../exchange/slice-authority.ts';
import type { DeviceIdentity, GatewayClient } from '../gateway-client/gateway-client.ts';
import { openGatewayClient } from '../gateway-client/open-gateway-client.ts';
import { RevokedLists } from '../state/revoked-lists.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { Platform } from '../system/platform.ts';

/**
 * An enrollment as recorded on disk, and what can be derived from the record after an interruption. It is all that an undo
 * needs: no person, no YubiKey. Holds no secret except the device key's handle.
 */
export class KnownEnrollment {
  readonly context: LaptopContext;
  readonly #file: RecordFile;
  #record: EnrollmentRecord | undefined;
  #client: GatewayClient | undefined;
  #opened: OpenedChallenge | undefined;
  #granted: CheckedGrant | undefined;

  constructor(context: LaptopContext, file: RecordFile, record: EnrollmentRecord | undefined) {
    this.context = context;
    this.#file = file;
    this.#record = record;
  }

  get platform(): Platform {
    return this.context.platform;
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  /** Undefined until a key has been found. */
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

  /** At which door of the gateway this laptop asks. */
  get entrance(): { readonly through: 'enrollments' | 'claims' } {
    return { through: this.record.claim === undefined ? 'enrollments' : 'claims' };
  }

  async save(change: Partial<EnrollmentRecord>): Promise<void> {
    await this.replace({ ...this.record, ...change });
  }

  async saveExchange(change: Partial<NonNullable<EnrollmentRecord['exchange']>>): Promise<void> {
    await this.save({ exchange: { ...this.exchange, ...change } });
  }

  /** The slice has refused these bytes: they need not be sent again. */
  async forgetStatement(): Promise<void> {
    const { statement: _, ...exchange } = this.exchange;
    await this.save({ exchange });
  }

  async client(): Promise<GatewayClient> {
    if (this.#client !== undefined) return this.#client;
    const { gatewayUrl, proxy } = this.record;
    this.#client = await openGatewayClient(this.context, gatewayUrl, { keptProxy: proxy });
    this.#client.skewMs = this.#opened?.skewMs;
    return this.#client;
  }

  /** The slice's time, by the newest one that it signed, milliseconds. */
  sliceTime(): number {
    return this.context.clock.now() + (this.#client?.skewMs ?? this.opened().skewMs);
  }

  async deviceKey(): Promise<DeviceKey> {
    const key = await this.platform.certificates.loadDeviceKey(this.record.slug);
    if (key === undefined) throw new KiwiError('state-damaged', { detail: 'the device key is gone' });
    return key;
  }

  async device(): Promise<DeviceIdentity> {
    const { deviceId } = this.record.device ?? (await this.granted()).grant;
    return { deviceId, key: await this.deviceKey(), slice: await this.#authority() };
  }

  /** The slice whose answers are accepted: while the exchange is on record, the one that proved itself in it. */
  async #authority(): Promise<SliceAuthority> {
    const { roots } = this.context;
    const { exchange, slug, device } = this.record;
    const known =
      exchange === undefined
        ? await sliceAuthority(this.platform, slug, roots, device?.intermediate)
        : { intermediate: this.opened().intermediate, roots };
    return { ...known, revoked: await new RevokedLists(this.platform).load(known.roots) };
  }

  /** The verified challenge, from the record: an earlier step or run may have received it. */
  opened(): OpenedChallenge {
    if (this.#opened !== undefined) return this.#opened;
    const { keyCertificate, hello, challenge, challengeAt } = this.exchange;
    const { slug, claim } = this.record;
    const asked = {
      ...{ jws: challenge, helloBytes: Buffer.from(hello), slug },
      ...{ roots: this.context.roots, now: Date.parse(challengeAt) },
    };
    if (keyCertificate !== undefined) {
      this.#opened = openChallenge({ ...asked, keyCertificate: parseCertificate(keyCertificate) });
    } else if (claim !== undefined) {
      this.#opened = openClaimChallenge({ ...asked, root: claim.root });
    } else throw new KiwiError('state-damaged', { detail: 'an exchange for which nothing vouches' });
    if (this.#client !== undefined) this.#client.skewMs = this.#opened.skewMs;
    return this.#opened;
  }

  /** The checked grant, from the record: an earlier step or run may have received it. */
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
      roots: this.context.roots,
      now: new Date(this.sliceTime()),
      confirmed: this.record.device?.confirmed === true,
    });
    return this.#granted;
  }

  /** Forgets what was derived from an exchange that is being replaced. */
  forgetExchange(): void {
    this.#opened = undefined;
    this.#granted = undefined;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  protected async replace(record: EnrollmentRecord): Promise<void> {
    await this.#file.save(record);
    this.#record = record;
  }
}
