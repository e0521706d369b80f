import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { parsePemBundle } from '../../pki/certificate.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import { readRoot } from '../../provider/read-root.ts';
import { renderCaConfig } from '../ca/render-ca-config.ts';
import { writeFleetConfig, type FleetConfig } from '../config/fleet-config.ts';
import { sliceConfig, writeSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { readTpmMakers } from '../config/tpm-makers.ts';
import { createRegistry } from '../open-registry.ts';
import { describeOptions } from './describe-options.ts';
import { makeAuthority, prepareAuthority } from './make-authority.ts';
import { makeWebCertificate, readWebCertificate, writeWebCertificate } from './web-certificate.ts';
import { writeKey } from './write-part.ts';
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
  /**
   * The root of a provider that has one already, PEM. The slice is then made without an intermediate, which that root
   * signs elsewhere; absent: a root is made.
   */
  readonly rootCertificateFile?: string;
  /** PEM bundle of roots that replace Yubico's; absent: Yubico's own. */
  readonly yubicoRootFile?: string;
  /** Whether device keys are to be in TPMs, and the makers whose TPMs are trusted, a PEM bundle. */
  readonly tpm?: SliceConfig['deviceKey']['tpm'];
  readonly tpmMakersFile?: string;
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
  readonly operatorPort?: number;
  readonly quota?: number;
  /** Name of the operator who consents to re-enrollments, as it appears in the signed text. */
  readonly operator?: string;
  readonly rateLimit?: SliceConfig['rateLimit'];
  readonly confirmSeconds?: number;
  readonly sessionSeconds?: number;
}

/** The slice's address in the tunnel network, and that network. */
export const DEFAULT_INSIDE = { address: '10.77.0.1', network: '10.77.0.0/24' } as const;

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
  // What was given is read and checked before anything is written.
  const { tls, rootCertificateFile } = options;
  const root =
    rootCertificateFile === undefined ? undefined : await readRoot('--root-certificate', rootCertificateFile, now);
  const web = tls === undefined ? undefined : await readWebCertificate(tls, config.gateway.url, now);
  const yubico = await yubicoRoots(options.yubicoRootFile);
  const tpmMakers = await givenTpmMakers(options);

  await makeFolder(draft, path.resolve(options.dir));
  for (const { dir } of [paths.msp, paths.ca, paths.gateway, paths.operator, paths.wireguard, paths.run]) {
    await mkdir(dir, { mode: 0o700 });
  }
  await (root === undefined ? makeAuthority(paths, config, now) : prepareAuthority(paths, root));
  await (web === undefined ? makeWebCertificate(paths, config.gateway.url, now) : writeWebCertificate(paths, web));
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
  await writeDurableFile(paths.yubicoRoots, yubico, 0o600);
  if (tpmMakers !== undefined) await writeDurableFile(paths.tpmMakers, tpmMakers, 0o600);
  if (options.fleet !== undefined) await writeFleetConfig(draft, options.fleet);
  createRegistry(paths).close();
  await writeSliceConfig(draft, config);
  return config;
}

function configOf(
  options: InitOptions,
  made: { wireguardPublicKey: string; operatorKey: P256Jwk; gatewayKid: string; yubikeyKid: string },
): SliceConfig {
  const url = parseUrl(options.gatewayUrl);
  const listenPort = url.port === '' ? 443 : Number(url.port);
  const { insideAddress: address = DEFAULT_INSIDE.address, insideNetwork: network = DEFAULT_INSIDE.network } = options;
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
    operatorApi: { port: options.operatorPort ?? 9444 },
    operators: [{ name: options.operator ?? 'operator', key: made.operatorKey }],
    policy: { minimumAgentVersion: '0.1.0', pinPolicies: ['once', 'always'], touchPolicies: ['always'] },
    deviceKey: { tpm: options.tpm ?? 'off' },
    windows: {
      sessionSeconds: options.sessionSeconds ?? 300,
      confirmSeconds: options.confirmSeconds ?? 900,
      offlineDays: 7,
    },
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

async function givenTpmMakers({ tpm, tpmMakersFile: file }: InitOptions): Promise<Buffer | undefined> {
  const option = '--tpm-makers';
  if (file === undefined) {
    if (tpm === undefined || tpm === 'off') return undefined;
    throw new KiwiError('usage', { detail: `--tpm ${tpm} needs ${option}` });
  }
  const pem = await readGivenFile(file, { option, maxBytes: MAX_BYTES });
  readTpmMakers(pem, file, 'file-unusable');
  return pem;
}

/** X25519 keys in WireGuard's format; the raw 32 bytes are at the end of the PKCS#8 and SPKI encodings (RFC 8410). */
function generateWireguardKey(): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32).toString('base64'),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64'),
  };
}
