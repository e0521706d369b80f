import { z } from 'zod';

import {
  base64urlUpTo,
  digestText,
  hostName,
  ipv4,
  ipv4Cidr,
  protocol,
  slug,
  text,
  timestamp,
  uuid,
  wireguardKey,
  wireguardSecret,
} from './common.ts';
import { message } from './extensions.ts';

/** A DNS name of at least two labels, in lower case. */
export const domain = z.string().regex(/^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/);
/** Printable ASCII without spaces: URL parsers drop line breaks silently, and this text ends up in configuration files. */
export const httpsUrl = z
  .string()
  .max(500)
  .regex(/^https:\/\/[!-~]+$/)
  .refine((url) => URL.canParse(url), 'a URL');
/** `host:port` of a WireGuard endpoint. */
export const wireguardEndpoint = z
  .string()
  .max(260)
  .regex(/^(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):[1-9]\d{0,4}$/)
  .refine((endpoint) => Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) <= 65_535, 'a port');

/** The packages of an agent by `os-arch`. */
export const packageKey = z.enum([
  'linux-x64',
  'linux-arm64',
  'macos-x64',
  'macos-arm64',
  'windows-x64',
  'windows-arm64',
]);

/**
 * Everything that the laptop needs: compact JWS, `typ` kiwi-grant+jws, signed by the grant key, inside a JWE to the
 * device key (it carries a pre-shared key and an enroll secret).
 */
export const grant = message({
  protocol,
  slug,
  deviceId: uuid,
  sessionId: uuid,
  /** SHA-256 of the JWE that carried the statement, as sent. */
  statementHash: digestText,
  issuedAt: timestamp,
  /** After this time, an unconfirmed device is ended. */
  confirmBy: timestamp,
  /** The name in certificate and registry: the requested one, with a suffix if another laptop already has it. */
  hostName,
  certificate: z.strictObject({
    /** DER: device certificate, customer's intermediate. */
    chain: z.array(base64urlUpTo(4096)).length(2),
    /** DER: the roots for the system's trust store. */
    trustRoots: z.array(base64urlUpTo(4096)).min(1).max(4),
    role: text(64),
    customer: text(100),
    renewAfter: timestamp,
  }),
  wireguard: z.strictObject({
    address: ipv4,
    endpoints: z.array(wireguardEndpoint).min(1).max(4),
    serverPublicKey: wireguardKey,
    presharedKey: wireguardSecret,
    allowedCidrs: z.array(ipv4Cidr).min(1).max(32),
    dns: z.strictObject({ servers: z.array(ipv4).max(4), domains: z.array(domain).max(16) }),
    keepaliveSeconds: z.int().min(5).max(120),
    /** An inside address that answers pings; it shows that the tunnel carries data. */
    probe: ipv4,
  }),
  fleet: z.strictObject({
    url: httpsUrl,
    /** PEM: the only root that agent and laptop trust for the Fleet server. */
    serverCa: z.string().min(1).max(16_384),
    enrollSecret: text(255),
    packages: z.partialRecord(
      packageKey,
      z.strictObject({ url: httpsUrl, sha256: digestText, size: z.int().min(1).max(500_000_000) }),
    ),
  }),
});
export type Grant = z.infer<typeof grant>;
