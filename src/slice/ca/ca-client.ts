import type { KeyObject } from 'node:crypto';

import { Pool } from 'undici';
import { z } from 'zod';

import { digest } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { csrName } from '../../pki/csr.ts';
import { keySigner } from '../../pki/signer.ts';
import { oneTimeToken } from './one-time-token.ts';

/** What the slice asks of its CA. */
export interface CertificateAuthority {
  /**
   * Has a certificate issued for the key in `csr`.
   * @returns PEM of the leaf
   * @throws KiwiError `ca-unavailable` when the CA does not answer, `csr-refused` when it refuses the request
   */
  sign(input: SignInput): Promise<string>;
  /**
   * Revokes a serial number. Safe to repeat. The caller takes it from our registry, because step-ca also "revokes"
   * unknown ones.
   */
  revoke(serialHex: string, reason: string): Promise<void>;
  /** True when the CA answers. Never rejects. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}

export interface SignInput {
  /** A certificate request that was already parsed and verified. */
  readonly csr: Buffer;
  /** Common name of the certificate. */
  readonly subject: string;
  /** Claims for the template. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface CaClientOptions {
  /** https://10.77.0.1:9443 */
  readonly url: string;
  /** PEM: the only root that is trusted for the CA's TLS certificate. */
  readonly root: string;
  readonly provisioner: string;
  readonly keyId: string;
  readonly key: KeyObject;
  readonly clock: Clock;
  readonly timeoutMs?: number;
}

const signed = z.object({ crt: z.string().min(1).max(16_384) });
const refused = z.object({ message: z.string().max(2000) });

/** A client of step-ca's HTTP API with persistent connections and a pinned root. */
export function createCaClient(options: CaClientOptions): CertificateAuthority {
  const timeout = options.timeoutMs ?? 10_000;
  const pool = new Pool(options.url, {
    connect: { ca: options.root, timeout },
    connections: 16,
    keepAliveTimeout: 30_000,
    headersTimeout: timeout,
    bodyTimeout: timeout,
  });
  const signer = keySigner(options.key);
  const token = (path: string, subject: string, claims: Readonly<Record<string, unknown>>): Promise<string> =>
    oneTimeToken({
      provisioner: options.provisioner,
      keyId: options.keyId,
      signer,
      audience: `${options.url}${path}`,
      subject,
      nowMs: options.clock.now(),
      claims,
    });
  const post = async (path: string, body: object): Promise<{ status: number; value: unknown }> => {
    try {
      const response = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await response.body.text();
      return { status: response.statusCode, value: text === '' ? {} : JSON.parse(text) };
    } catch (error) {
      throw new KiwiError('ca-unavailable', { detail: describe(error), cause: error });
    }
  };
  return {
    async sign(input) {
      // step-ca requires the token to list the common name of the request as a SAN; the template ignores it.
      const sans = [input.subject, csrName(input.csr)].filter((name) => name !== undefined);
      const path = '/1.0/sign';
      const { status, value } = await post(path, {
        csr: toPem(input.csr),
        ott: await token(path, input.subject, {
          sans: [...new Set(sans)],
          // Binds the token to this one request: a stolen token cannot sign another.
          cnf: { 'x5rt#S256': digest(input.csr) },
          ...input.claims,
        }),
      });
      if (status === 201) {
        const parsed = signed.safeParse(value);
        if (parsed.success) return parsed.data.crt;
        throw new KiwiError('ca-unavailable', { detail: 'step-ca: an answer without certificate' });
      }
      const detail = `step-ca /sign: ${status} ${messageOf(value)}`;
      // A 401 is about our token (clock skew, a restarted CA), not about the laptop's request.
      throw new KiwiError(status === 400 || status === 403 ? 'csr-refused' : 'ca-unavailable', { detail });
    },
    async revoke(serialHex, reason) {
      const serial = BigInt(`0x${serialHex}`).toString();
      const path = '/1.0/revoke';
      const { status, value } = await post(path, {
        serial,
        ott: await token(path, serial, {}),
        // RFC 5280, section 5.3.1: 5 = cessationOfOperation, 1 = keyCompromise.
        reasonCode: reason === 'burned' || reason === 'lost' ? 1 : 5,
        reason,
        passive: true,
      });
      // step-ca has no code for this case, only a message.
      if (status === 200 || (status === 400 && /already revoked/i.test(messageOf(value)))) return;
      throw new KiwiError('ca-unavailable', { detail: `step-ca /revoke: ${status} ${messageOf(value)}` });
    },
    async healthy() {
      try {
        const response = await pool.request({ path: '/health', method: 'GET', headersTimeout: 2000 });
        await response.body.dump();
        return response.statusCode === 200;
      } catch {
        return false;
      }
    },
    close: () => pool.destroy(),
  };
}

function messageOf(value: unknown): string {
  const parsed = refused.safeParse(value);
  return parsed.success ? parsed.data.message.slice(0, 200) : '';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'step-ca: no answer';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return `step-ca: ${code}`;
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}
