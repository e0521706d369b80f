import { randomBytes } from 'node:crypto';

import { request, type Dispatcher } from 'undici';

import { base64url, digest } from '../../core/bytes.ts';
import { systemClock, type Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { NO_LOG, type Log } from '../../core/log.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { LIMITS, MEDIA } from '../../protocol/common.ts';
import type { Confirm, DeviceStatus, Leave, StatusRequest } from '../../protocol/device-messages.ts';
import type { EscrowReceipt, RecoveryKeyMessage } from '../../protocol/disk-escrow.ts';
import type { Renewal } from '../../protocol/renewal.ts';
import { writeBundle } from '../../protocol/support-bundle.ts';
import { openDeviceStatus } from '../exchange/open-device-status.ts';
import { openEscrowReceipt } from '../exchange/open-escrow-receipt.ts';
import { openRenewed, type CheckedRenewal, type RenewalExpectation } from '../exchange/open-renewed.ts';
import type { AskedOfSlice, SliceAuthority } from '../exchange/open-slice-answer.ts';
import { signDeviceMessage, type DeviceVerb } from '../exchange/sign-device-message.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { GatewayClientOptions } from './gateway-client-options.ts';
import type { Answer, Exchange } from './one-request.ts';
import { mediaType, naming, readCapped, refusal, requestIdOf } from './read-answer.ts';
import { firstCodeOf, transportError } from './transport-error.ts';
import { waysOf, type Way } from './way.ts';

export type { GatewayClientOptions } from './gateway-client-options.ts';

/** Delays between attempts of one request, milliseconds, each from half of it to one and a half. */
const BACKOFF_MS = [500, 1500, 4000, 10_000, 30_000];
const RETRIES = 3;
/** Afterwards, while the gateway drops connections. */
const DROPPED_MS = 30_000;
/** As long as a person waits. */
const PATIENCE_MS = 60_000;
const TIMEOUT_MS = 30_000;
/** Limits an answer that trickles in and so never hits the idle time-out; enough for the largest answer over a slow modem. */
const DEADLINE_MS = 90_000;

/**
 * Speaks kiwi/1 over HTTPS. Every request may be repeated: the gateway gives the same answer to the same bytes, so after a
 * lost reply they are simply sent again.
 *
 * All methods throw KiwiError: the gateway's own code where it refuses, `gateway-*` where it does not answer properly, `proxy-*`
 * where a proxy is in the way.
 */
export class GatewayClient {
  readonly #base: URL;
  /** The ways to the gateway, in the order in which they are tried. */
  #ways: readonly [Way, ...Way[]];
  /** The one in use. */
  #way = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #retries: number;
  readonly #deadlineMs: number;
  readonly #patienceMs: number;
  readonly #random: () => number;
  readonly #options: GatewayClientOptions;
  /** The same, by the Date of an answer that nobody signed, milliseconds. With it a message is stamped, and nothing else. */
  #toldSkewMs = 0;
  /** TLS is not verified any more, because our clock is wrong. */
  #unproven = false;
  /**
   * The slice's clock minus ours, milliseconds, by the newest `serverTime` that it signed: the challenge's, or an answer's.
   * Undefined before the first. Our clock may be set at any time, so no difference is used when there is a newer one.
   */
  skewMs: number | undefined;
  /** Under which the last answer about this device is signed. */
  intermediate: Certificate | undefined;

  constructor(options: GatewayClientOptions) {
    this.#base = new URL(options.gatewayUrl);
    if (this.#base.protocol !== 'https:') throw new TypeError('the gateway URL is not https');
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? NO_LOG;
    this.#retries = options.retries ?? RETRIES;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#random = options.random ?? Math.random;
    this.#options = options;
    this.#ways = waysOf(options);
  }

  /** For downloads from the gateway under the same trust. Closed with this client. */
  get dispatcher(): Dispatcher {
    return this.#current.dispatcher;
  }

  /** The URL of the proxy in use, which may hold a password; undefined on the direct way. */
  get proxy(): string | undefined {
    return this.#current.proxy?.url.href;
  }

  get #current(): Way {
    return this.#ways[this.#way] ?? this.#ways[0];
  }

  /** @param body the bytes of the hello @returns the challenge: a compact JWS */
  async hello(body: Uint8Array, { through = 'enrollments', signal }: Entering = {}): Promise<string> {
    const asked = { what: 'hello', method: 'POST', path: `/v1/${through}`, body, type: MEDIA.json } as const;
    return (await this.#exchange({ ...asked, accept: MEDIA.jose, maxBytes: LIMITS.challenge }, signal)).text;
  }

  /** @param jwe the statement, or the claim @returns the grant: a compact JWE */
  async statement(
    sessionId: string,
    jwe: string,
    { through = 'enrollments', signal, patienceMs }: Entering = {},
  ): Promise<string> {
    const path = `/v1/${through}/${sessionId}/statement`;
    const asked = { what: 'statement', method: 'PUT', path, body: jwe, type: MEDIA.jose, patienceMs } as const;
    return (await this.#exchange({ ...asked, accept: MEDIA.jose, maxBytes: LIMITS.grant }, signal)).text;
  }

  /**
   * Tells the slice that nothing will be signed for a session, which would otherwise stay open until its time is over. Safe to
   * repeat, and without effect on a session that was used.
   */
  async abandon(sessionId: string, { through = 'enrollments', signal }: Entering = {}): Promise<void> {
    const asked = { what: 'abandon', method: 'DELETE', path: `/v1/${through}/${sessionId}` } as const;
    await this.#exchange({ ...asked, accept: MEDIA.json, maxBytes: LIMITS.error }, signal);
  }

  async confirm(
    device: DeviceIdentity,
    message: Omit<Confirm, 'protocol' | 'deviceId' | 'timestamp'>,
    signal?: AbortSignal,
  ): Promise<DeviceStatus> {
    return this.#inTime(async () =>
      this.tell(device, 'confirm', await signDeviceMessage(device, 'confirm', message, this.#sliceTime()), signal),
    );
  }

  /** Asks the slice for the state of this device; changes nothing. */
  async status(device: DeviceIdentity, said: Asking = {}, signal?: AbortSignal): Promise<DeviceStatus> {
    const message = { nonce: nonce(), ...said };
    return this.#inTime(async () =>
      this.tell(device, 'status', await signDeviceMessage(device, 'status', message, this.#sliceTime()), signal),
    );
  }

  /** Deregisters this device at the slice. Safe to repeat. */
  async leave(device: DeviceIdentity, reason: Leave['reason'], signal?: AbortSignal): Promise<DeviceStatus> {
    return this.tell(device, 'leave', await signDeviceMessage(device, 'leave', { reason }, this.#sliceTime()), signal);
  }

  /**
   * Sends a message that is already signed, unchanged.
   * @returns the verified answer
   * @throws KiwiError `slice-not-proven` when the answer is not the slice's, `clock-skew` when it is not of now
   */
  async tell(
    device: KnownDevice,
    verb: Exclude<DeviceVerb, 'renewal' | 'bundle' | 'recoveryKey'>,
    request: string,
    signal?: AbortSignal,
  ): Promise<DeviceStatus> {
    return this.#statusIn(await this.#say(device, verb, request, LIMITS.deviceStatus, signal), device, request);
  }

  /**
   * Sends a support bundle, signed anew, so that it may be older than the signature.
   * @returns the verified answer: the slice has it
   */
  async sendBundle(
    device: DeviceIdentity,
    { manifest, files }: { readonly manifest: string; readonly files: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<DeviceStatus> {
    return this.#inTime(async () => {
      const said = { manifestHash: digest(manifest) };
      const signature = await signDeviceMessage(device, 'bundle', said, this.#sliceTime());
      const body = writeBundle({ manifest, signature, files });
      const path = `/v1/devices/${device.deviceId}/bundles`;
      const asked = { what: 'bundles', method: 'POST', path, body, type: MEDIA.json, accept: MEDIA.jose } as const;
      // Not `public`: it says much about a laptop.
      const answer = await this.#exchange({ ...asked, maxBytes: LIMITS.deviceStatus, retries: 2 }, signal);
      return this.#statusIn(answer, device, body);
    });
  }

  /**
   * Gives the slice the recovery key of this laptop's disk, encrypted to its recipients.
   * @returns the verified receipt
   */
  async escrow(
    device: DeviceIdentity,
    message: Pick<RecoveryKeyMessage, 'generation' | 'volume' | 'escrow'>,
    signal?: AbortSignal,
  ): Promise<EscrowReceipt> {
    const form = { path: 'recovery-keys', maxBytes: LIMITS.escrowReceipt, retries: RETRIES, signal };
    const open = (text: string, asked: AskedOfSlice): ReturnType<typeof openEscrowReceipt> =>
      openEscrowReceipt(text, asked, message);
    return (await this.#ask(device, 'recoveryKey', { ...message, nonce: nonce() }, form, open)).receipt;
  }

  /** What the provider has released: a compact JWS. The gateway hands it on, and has not signed it. @throws KiwiError `not-found` where there is none */
  async updateManifest(signal?: AbortSignal): Promise<string> {
    const form = { accept: MEDIA.jose, maxBytes: LIMITS.updateManifest, public: true };
    return (await this.#exchange({ what: 'update', method: 'GET', path: '/packages/manifest', ...form }, signal)).text;
  }

  #statusIn(answer: Answer, { deviceId, slice }: KnownDevice, request: string): DeviceStatus {
    const asked = { request, deviceId, slice, now: this.#clock.now(), toldSkewMs: this.#toldSkewMs };
    const { status, skewMs, intermediate } = naming(answer, () => openDeviceStatus(answer.text, asked));
    this.skewMs = skewMs;
    this.intermediate = intermediate;
    return status;
  }

  /**
   * Asks the slice for a new certificate of this device. The same bytes are sent again when no answer comes.
   * @throws KiwiError `renewal-invalid` when it is not what was asked for; the refusals of the slice
   */
  async renew(
    device: DeviceIdentity,
    message: Renewing,
    expected: RenewalExpectation,
    options: Patience = {},
  ): Promise<CheckedRenewal> {
    const form = { path: 'renewals', maxBytes: LIMITS.renewed, ...options };
    const said = { ...message, held: expected.held, nonce: nonce() };
    const open = (text: string, asked: AskedOfSlice): ReturnType<typeof openRenewed> =>
      openRenewed(text, asked, expected);
    return (await this.#ask(device, 'renewal', said, form, open)).renewal;
  }

  /** Sends a message of this device, signed now, and opens the answer. */
  #ask<V extends DeviceVerb, Opened extends { readonly skewMs: number }>(
    device: DeviceIdentity,
    verb: V,
    said: Parameters<typeof signDeviceMessage<V>>[2],
    { path, maxBytes, signal, ...patience }: Patience & { readonly path: string; readonly maxBytes: number },
    open: (text: string, asked: AskedOfSlice) => Opened,
  ): Promise<Opened> {
    const { deviceId, slice } = device;
    return this.#inTime(async () => {
      const request = await signDeviceMessage(device, verb, said, this.#sliceTime());
      const answer = await this.#say(device, path, request, maxBytes, signal, patience);
      const asked = { request, deviceId, slice, now: this.#clock.now(), toldSkewMs: this.#toldSkewMs };
      const opened = naming(answer, () => open(answer.text, asked));
      this.skewMs = opened.skewMs;
      return opened;
    });
  }

  #say(
    { deviceId }: KnownDevice,
    what: string,
    request: string,
    maxBytes: number,
    signal?: AbortSignal,
    { retries, patienceMs }: Pick<Exchange, 'retries' | 'patienceMs'> = {},
  ): Promise<Answer> {
    const asked = { what, method: 'POST', path: `/v1/devices/${deviceId}/${what}`, body: request } as const;
    const form = { type: MEDIA.jose, accept: MEDIA.jose, maxBytes, public: true };
    return this.#exchange({ ...asked, ...form, retries, patienceMs }, signal);
  }

  /**
   * Sends a message, and if its time is refused, once more, with the time of the refusal. Whoever forges that time gets a message
   * that the slice refuses; what the slice signs is checked as always.
   */
  async #inTime<Result>(send: () => Promise<Result>): Promise<Result> {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof KiwiError) || error.code !== 'clock-skew' || error.saidAt === undefined) throw error;
      this.#toldSkewMs = error.saidAt - this.#clock.now();
      this.skewMs = undefined;
      return send();
    }
  }

  #sliceTime(): number {
    return this.#clock.now() + (this.skewMs ?? this.#toldSkewMs);
  }

  async close(): Promise<void> {
    await Promise.all(this.#ways.map((way) => way.close()));
  }

  async #exchange(exchange: Exchange, signal?: AbortSignal): Promise<Answer> {
    const { what, retries = this.#retries } = exchange;
    let patienceMs = exchange.patienceMs ?? this.#patienceMs;
    // What is not both signed and public is for the gateway alone, which nothing proves any more.
    if (this.#unproven && exchange.public !== true) throw new KiwiError('gateway-tls-dates');
    for (let attempt = 0; ; attempt++) {
      const began = this.#clock.monotonic();
      const ms = (): number => Math.round(this.#clock.monotonic() - began);
      try {
        const answer = await this.#once(exchange, signal);
        this.#log.write('info', 'exchange', { what, http: answer.http, request: answer.requestId, ms: ms() });
        return answer;
      } catch (error) {
        signal?.throwIfAborted();
        const failure = error instanceof KiwiError ? error : transportError(error, this.#clock.now());
        const { code, requestId: request } = failure;
        const way = this.proxy === undefined ? 'direct' : 'proxy';
        this.#log.write('warning', 'exchange', { what, code, request, way, ms: ms() });
        if (!(error instanceof KiwiError) && this.#way + 1 < this.#ways.length) {
          this.#way++;
          attempt--; // this way had no answer; the other one has all its attempts before it
          continue;
        }
        if (failure.code === 'gateway-tls-dates' && exchange.public === true && (await this.#distrustClock())) {
          attempt--;
          continue;
        }
        this.#way = 0; // the network may be another one by the next attempt
        if (!failure.retryable) throw failure;
        if (failure.retryAfterMs !== undefined) {
          // Whole seconds, in which others were told to come as well.
          const wait = Math.max(1000, failure.retryAfterMs) + this.#random() * 1000;
          patienceMs -= wait;
          if (patienceMs < 0) throw failure;
          attempt--; // the gateway is there, and has said when
          await this.#clock.sleep(wait, signal);
          continue;
        }
        // A gateway that has too much to do drops connections, and is there: it is worth a renewal's patience.
        const dropped = exchange.patienceMs !== undefined && firstCodeOf(error) === 'ECONNRESET';
        const backoff = attempt < retries ? BACKOFF_MS[attempt] : undefined;
        const wait = (backoff ?? DROPPED_MS) * (0.5 + this.#random());
        if (backoff === undefined && (!dropped || (patienceMs -= wait) < 0)) throw failure;
        await this.#clock.sleep(wait, signal);
      }
    }
  }

  /**
   * With a clock that is certainly wrong no certificate of the web can be verified. A message about the device is signed and holds no
   * secret, and so does its answer: it is sent all the same, over a connection that anybody may have opened.
   */
  async #distrustClock(): Promise<boolean> {
    const { pastMs } = this.#options;
    if (this.#unproven || pastMs === undefined || this.#clock.now() >= pastMs) return false;
    await this.close();
    this.#ways = waysOf(this.#options, false);
    this.#way = 0;
    this.#unproven = true;
    return true;
  }

  async #once({ method, path, body, type, accept, maxBytes }: Exchange, signal?: AbortSignal): Promise<Answer> {
    const deadline = AbortSignal.timeout(this.#deadlineMs);
    const response = await request(new URL(path, this.#base), {
      method,
      dispatcher: this.#current.dispatcher,
      headers: {
        ...(type === undefined ? {} : { 'content-type': type }),
        accept: accept === MEDIA.json ? accept : `${accept}, ${MEDIA.json}`,
      },
      body: body === undefined || typeof body === 'string' ? (body ?? null) : Buffer.from(body),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    const granted = response.statusCode >= 200 && response.statusCode < 300;
    const given = mediaType(response.headers['content-type']);
    const text = await readCapped(response.body, granted ? maxBytes : LIMITS.error);
    if (!granted) {
      // While the gateway restarts, an ingress in front of it answers with a page of its own.
      if (given !== MEDIA.json && response.statusCode >= 502 && response.statusCode <= 504) {
        throw new KiwiError('gateway-unreachable', { detail: `HTTP ${response.statusCode}` });
      }
      throw refusal(response.statusCode, text, response.headers);
    }
    // A network's sign-in page answers 200 too. Mistaken for a challenge, it would look like an attack.
    if (given !== accept) throw new KiwiError('gateway-answer-invalid', { detail: `an answer of type ${given}` });
    return { text, http: response.statusCode, requestId: requestIdOf(response.headers['x-request-id']) };
  }
}

/** Who vouches for the laptop, and how long it waits for an answer. */
export interface Entering {
  /** `enrollments` where a YubiKey does, `claims` where a token does. */
  readonly through?: 'enrollments' | 'claims';
  readonly signal?: AbortSignal | undefined;
  readonly patienceMs?: number | undefined;
}

/** The hardware on which the key is used, and what else is asked. */
type Asking = Pick<StatusRequest, 'fingerprint' | 'extensions'>;
type Renewing = Omit<Renewal, 'protocol' | 'deviceId' | 'timestamp' | 'nonce' | 'held'>;
type Patience = { readonly signal?: AbortSignal | undefined; readonly retries?: number; readonly patienceMs?: number };

const nonce = (): string => base64url(randomBytes(16));

/** A device of ours, and the slice whose answers about it are accepted. */
export interface KnownDevice {
  readonly deviceId: string;
  readonly slice: SliceAuthority;
}
export interface DeviceIdentity extends KnownDevice {
  readonly key: DeviceKey;
}
