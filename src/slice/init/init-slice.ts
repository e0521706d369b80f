import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import path from 'node:path';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { DAY, issueCertificate, YEAR } from '../../pki/issue.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { EKU, intermediateName } from '../../pki/roles.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import { provisionerExtension, PROVISIONER_EXTENSION } from '../ca/provisioner-extension.ts';
import { crlDistributionPoint, PROVISIONER, renderCaConfig } from '../ca/render-ca-config.ts';
import { writeFleetConfig, type FleetConfig } from '../config/fleet-config.ts';
import { sliceConfig, writeSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { createSqliteRegistry } from '../registry/sqlite/sqlite-registry.ts';
import { describeOptions } from './describe-options.ts';
import { YUBICO_ROOTS } from './yubico-roots.ts';

export interface InitOptions {
  readonly dir: string;
  readonly slug: string;
  readonly name: string;
  readonly gatewayUrl: string;
  readonly listen?: { readonly host: string; readonly port: number };
  /** IPv4 address or name at which laptops reach the WireGuard endpoint; default: the host of `gatewayUrl`. */
  readonly publicAddress?: string;
  /**
   * The gateway's TLS certificate (chain) and key, PEM; absent: issued under a web CA that stands in for the public
   * ones.
   */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  /** PEM bundle of roots that replace Yubico's; absent: Yubico's own. */
  readonly yubicoRootFile?: string;
  readonly fleet?: FleetConfig;
  readonly domains?: readonly string[];
  readonly dnsServers?: readonly string[];
  readonly insideAddress?: string;
  readonly insideNetwork?: string;
  readonly insideCidrs?: readonly string[];
  readonly interface?: string;
  readonly wireguardPort?: number;
  readonly caPort?: number;
  readonly crlPort?: number;
  readonly quota?: number;
  /** Name of the operator who consents to re-enrollments, as it appears in the signed text. */
  readonly operator?: string;
  readonly rateLimit?: SliceConfig['rateLimit'];
  readonly confirmSeconds?: number;
  readonly sessionSeconds?: number;
}

/** `sun_path` of a UNIX socket holds 108 bytes (unix(7)); the control socket is below the slice's folder. */
const SOCKET_PATH_LIMIT = 107;

/** Of a file that is named on the command line. */
const MAX_BYTES = 256 * 1024;

/**
 * Creates a slice: MSP root, the customer's intermediate, step-ca configuration, gateway keys, registry, WireGuard key.
 * Everything is written to a folder next to the final one, which is then renamed in one step: a failed or interrupted
 * init leaves no partial slice.
 *
 * @throws KiwiError `slice-exists`, `usage`
 */
export async function initSlice(options: InitOptions, clock: Clock): Promise<SliceConfig> {
  const dir = path.resolve(options.dir);
  if (Buffer.byteLength(slicePaths(dir).run.controlSocket) > SOCKET_PATH_LIMIT) {
    throw new KiwiError('usage', { detail: '--dir: the folder name is too long for its control socket' });
  }
  await refuseExisting(dir);
  const draft = path.join(path.dirname(dir), `.${path.basename(dir)}.${randomBytes(6).toString('hex')}.init`);
  try {
    await makeFolder(draft, dir);
    const config = await build(draft, options, clock);
    await rmdir(dir).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await rename(draft, dir);
    return config;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function refuseExisting(dir: string): Promise<void> {
  try {
    const names = await readdir(dir);
    if (names.includes('slice.json')) throw new KiwiError('slice-exists', { detail: dir });
    if (names.length > 0) throw new KiwiError('usage', { detail: `--dir: ${dir} holds other files` });
  } catch (error) {
    if (!isMissing(error)) throw asFolderError(error, dir);
  }
}

async function makeFolder(draft: string, dir: string): Promise<void> {
  try {
    await mkdir(path.dirname(draft), { recursive: true });
    await mkdir(draft, { mode: 0o700 });
  } catch (error) {
    throw asFolderError(error, dir);
  }
}

/** Where no folder can be made, as below a file or in /proc, another `--dir` is needed. */
function asFolderError(error: unknown, dir: string): unknown {
  const code = systemErrorCode(error) ?? '';
  if (!['ENOENT', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG'].includes(code)) return error;
  return new KiwiError('usage', { detail: `--dir: no folder can be made at ${dir} (${code})`, cause: error });
}

async function build(draft: string, options: InitOptions, clock: Clock): Promise<SliceConfig> {
  const paths = slicePaths(draft);
  for (const { dir } of [paths.msp, paths.ca, paths.gateway, paths.operator, paths.wireguard, paths.run]) {
    await mkdir(dir, { mode: 0o700 });
  }
  const gatewayProvisioner = generateP256();
  const yubikeyProvisioner = generateP256();
  const operatorKey = generateP256();
  const wireguard = generateWireguardKey();
  const config = configOf(options, {
    wireguardPublicKey: wireguard.publicKey,
    operatorKey: publicJwk(operatorKey),
    gatewayKid: jwkThumbprint(publicJwk(gatewayProvisioner)),
    yubikeyKid: jwkThumbprint(publicJwk(yubikeyProvisioner)),
  });
  const now = new Date(clock.now());
  await makeCertificates(paths, config, now);
  await makeTls(paths, config, options, now);
  await writeDurableFile(
    paths.ca.config,
    renderCaConfig({
      address: config.inside.address,
      port: config.ca.port,
      crlPort: config.ca.crlPort,
      gatewayKey: publicJwk(gatewayProvisioner),
      yubikeyKey: publicJwk(yubikeyProvisioner),
    }),
    0o600,
  );
  await writeKey(paths.gateway.provisionerKey, gatewayProvisioner);
  await writeKey(paths.operator.provisionerKey, yubikeyProvisioner);
  await writeKey(paths.operator.consentKey, operatorKey);
  await writeDurableFile(paths.wireguard.privateKey, `${wireguard.privateKey}\n`, 0o600);
  await writeDurableFile(paths.yubicoRoots, await yubicoRoots(options.yubicoRootFile), 0o600);
  if (options.fleet !== undefined) await writeFleetConfig(draft, options.fleet);
  createSqliteRegistry(paths.registry).close();
  await writeSliceConfig(draft, config);
  return config;
}

function configOf(
  options: InitOptions,
  made: { wireguardPublicKey: string; operatorKey: P256Jwk; gatewayKid: string; yubikeyKid: string },
): SliceConfig {
  const url = parseUrl(options.gatewayUrl);
  const listenPort = url.port === '' ? 443 : Number(url.port);
  const address = options.insideAddress ?? '10.77.0.1';
  const network = options.insideNetwork ?? '10.77.0.0/24';
  const wireguardPort = options.wireguardPort ?? 51_820;
  const parsed = sliceConfig.safeParse({
    version: 1,
    customer: { slug: options.slug, name: options.name },
    fingerprintSalt: base64url(randomBytes(32)),
    gateway: { url: url.origin, listen: options.listen ?? { host: '0.0.0.0', port: listenPort } },
    inside: {
      address,
      network,
      cidrs: options.insideCidrs ?? [network, '10.77.1.0/24'],
      dns: { servers: options.dnsServers ?? [], domains: options.domains ?? [] },
    },
    wireguard: {
      interface: options.interface ?? 'kiwi-slice',
      port: wireguardPort,
      publicKey: made.wireguardPublicKey,
      endpoints: [`${options.publicAddress ?? url.hostname}:${wireguardPort}`],
      keepaliveSeconds: 25,
    },
    ca: {
      port: options.caPort ?? 9443,
      crlPort: options.crlPort ?? 9080,
      gatewayKid: made.gatewayKid,
      yubikeyKid: made.yubikeyKid,
    },
    operators: [{ name: options.operator ?? 'operator', key: made.operatorKey }],
    policy: { minimumAgentVersion: '0.1.0', pinPolicies: ['once', 'always'], touchPolicies: ['always'] },
    windows: { sessionSeconds: options.sessionSeconds ?? 300, confirmSeconds: options.confirmSeconds ?? 900 },
    quota: { devices: options.quota ?? 200 },
    rateLimit: options.rateLimit ?? { burst: 120, perSecond: 20 },
  });
  if (parsed.success) return parsed.data;
  throw new KiwiError('usage', { detail: describeOptions(parsed.error) });
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new KiwiError('usage', { detail: '--gateway-url: an https URL without a path' });
  }
  return url;
}

/**
 * MSP root (20 years) → customer's intermediate (5 years) → grant-signing certificate, valid as long as the
 * intermediate.
 */
async function makeCertificates(paths: ReturnType<typeof slicePaths>, config: SliceConfig, now: Date): Promise<void> {
  const { slug, name } = config.customer;
  const notBefore = new Date(now.getTime() - DAY);
  const rootKey = generateP256();
  const root = await issueCertificate({
    subject: { cn: 'KiwiStack MSP root', o: 'KiwiStack' },
    key: rootKey,
    notBefore,
    notAfter: new Date(now.getTime() + 20 * YEAR),
    ca: { pathLength: 1 },
  });
  const intermediateKey = generateP256();
  const intermediate = await issueCertificate({
    subject: { cn: intermediateName(slug), o: name },
    key: intermediateKey,
    issuer: { certificate: root, key: rootKey },
    notBefore,
    notAfter: new Date(now.getTime() + 5 * YEAR),
    ca: { pathLength: 0 },
  });
  const grantKey = generateP256();
  const grant = await issueCertificate({
    subject: { cn: `KiwiStack ${slug} gateway`, o: name },
    key: grantKey,
    issuer: { certificate: intermediate, key: intermediateKey },
    notBefore,
    notAfter: new Date(now.getTime() + 5 * YEAR),
    extendedKeyUsages: [EKU.gateway],
    sanUris: [`urn:kiwistack:customer:${slug}`],
    crlUrl: crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort }),
    extensions: [
      { oid: PROVISIONER_EXTENSION, value: provisionerExtension(PROVISIONER.yubikey, config.ca.yubikeyKid) },
    ],
  });
  await writeKey(paths.msp.key, rootKey);
  await writeCertificate(paths.msp.certificate, root);
  await writeCertificate(paths.ca.root, root);
  await writeKey(paths.ca.key, intermediateKey);
  await writeCertificate(paths.ca.certificate, intermediate);
  await writeKey(paths.gateway.key, grantKey);
  await writeCertificate(paths.gateway.certificate, grant);
}

async function makeTls(
  paths: ReturnType<typeof slicePaths>,
  config: SliceConfig,
  options: InitOptions,
  now: Date,
): Promise<void> {
  if (options.tls !== undefined) {
    const certificate = await readGivenFile(options.tls.certificateFile, { option: '--tls-cert', maxBytes: MAX_BYTES });
    const key = await readGivenFile(options.tls.keyFile, { option: '--tls-key', maxBytes: MAX_BYTES });
    try {
      const [leaf] = parsePemBundle(certificate.toString('utf8'));
      if (leaf === undefined) throw new TypeError('no certificate');
      if (!new X509Certificate(leaf.der).checkPrivateKey(createPrivateKey(key))) throw new TypeError('another key');
    } catch (error) {
      throw new KiwiError('usage', { detail: '--tls-cert and --tls-key: no certificate with its key', cause: error });
    }
    await writeDurableFile(paths.gateway.tlsCertificate, certificate, 0o600);
    await writeDurableFile(paths.gateway.tlsKey, key, 0o600);
    return;
  }
  const { hostname } = new URL(config.gateway.url);
  const notBefore = new Date(now.getTime() - DAY);
  const rootKey = generateP256();
  const root = await issueCertificate({
    subject: { cn: 'Web CA of a KiwiStack slice (stands in for the public web PKI)' },
    key: rootKey,
    notBefore,
    notAfter: new Date(now.getTime() + 5 * YEAR),
    ca: { pathLength: 0 },
  });
  const key = generateP256();
  const leaf = await issueCertificate({
    subject: { cn: hostname },
    key,
    issuer: { certificate: root, key: rootKey },
    notBefore,
    // Browsers and Apple's TLS refuse server certificates that are valid for more than 398 days.
    notAfter: new Date(now.getTime() + 390 * DAY),
    extendedKeyUsages: [EKU.serverAuth],
    ...(isIPv4(hostname) ? { sanIps: [hostname] } : { sanDns: [hostname] }),
  });
  await mkdir(paths.webCa.dir, { mode: 0o700 });
  await writeKey(paths.webCa.key, rootKey);
  await writeCertificate(paths.webCa.certificate, root);
  await writeKey(paths.gateway.tlsKey, key);
  await writeCertificate(paths.gateway.tlsCertificate, leaf);
}

async function yubicoRoots(file: string | undefined): Promise<string> {
  if (file === undefined) return YUBICO_ROOTS;
  const option = '--yubico-root';
  const text = (await readGivenFile(file, { option, maxBytes: MAX_BYTES })).toString('utf8');
  try {
    if (parsePemBundle(text).length === 0) throw new TypeError('no certificate');
  } catch (error) {
    throw unusable(file, 'holds no PEM certificate', { option, cause: error });
  }
  return text;
}

/** X25519 keys in WireGuard's format; the raw 32 bytes are at the end of the PKCS#8 and SPKI encodings (RFC 8410). */
function generateWireguardKey(): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32).toString('base64'),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64'),
  };
}

async function writeKey(file: string, key: KeyObject): Promise<void> {
  // step-ca reads EC keys in this form without a password.
  await writeDurableFile(file, key.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}

async function writeCertificate(file: string, certificate: Certificate): Promise<void> {
  await writeDurableFile(file, certificate.pem, 0o644);
}
