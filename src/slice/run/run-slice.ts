import type { AddressInfo, Server } from 'node:net';

import { createPrivateKey } from 'node:crypto';
import { rm } from 'node:fs/promises';

import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';

import type { Clock } from '../../core/clock.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { markOf, type ProcessMark } from '../../programs/process-mark.ts';
import { AuditSeal } from '../audit/audit-seal.ts';
import { SettingsWatch } from '../audit/settings-watch.ts';
import { createCaClient } from '../ca/ca-client.ts';
import { checkCaConfig } from '../ca/check-ca-config.ts';
import { PROVISIONER } from '../ca/render-ca-config.ts';
import { renewTemplates } from '../ca/renew-templates.ts';
import { findStepCa } from '../ca/step-ca-binary.ts';
import { startStepCa } from '../ca/step-ca-process.ts';
import { hashFile, readFleetConfig, type FleetConfig } from '../config/fleet-config.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, readPart } from '../config/slice-identity.ts';
import { slicePaths, type SlicePaths } from '../config/slice-paths.ts';
import { prefixLengthOf } from '../config/tunnel-network.ts';
import { openDirectory } from '../directory/open-directory.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { startWireguard } from '../endpoint/wireguard-endpoint.ts';
import { createFleetClient } from '../fleet/fleet-client.ts';
import { fleetPart } from '../fleet/fleet-part.ts';
import { buildGateway } from '../gateway/build-gateway.ts';
import type { WebPair } from '../gateway/replace-web-certificate.ts';
import { openRegistry } from '../open-registry.ts';
import { serveOperators } from '../operator-api/serve-operators.ts';
import type { SliceContext } from '../slice-context.ts';
import { reapUntil, reconcilePeers } from '../upkeep/reap.ts';
import { serveControl, type PartsStatus } from './control-socket.ts';
import { takePlace } from './end-leftover.ts';
import { PackageShelf } from '../welcome/package-shelf.ts';
import { explainConflict } from './explain-conflict.ts';
import { removeRunRecord, updateRunRecord } from './run-record.ts';
import { readWebPair, WebCertificateInUse } from './web-certificate-in-use.ts';

const TPM_MAKERS_HINT =
  'Put the CA certificates of the TPM makers that you trust into that file, PEM, or set deviceKey.tpm to off.';

export interface RunOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  /** Replaces the real WireGuard endpoint, for tests without root. */
  readonly endpoint?: () => Promise<Endpoint>;
}

export interface RunningSlice {
  readonly context: SliceContext;
  /** Where the gateway listens, with the actual port. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly stepCaPid: () => number | undefined;
  status(): Promise<PartsStatus>;
  /** Stops everything in reverse order and restores what was changed. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Starts endpoint, step-ca and gateway, in this order: step-ca listens on the endpoint's inside address, and nothing is
 * public before everything runs. When a part fails, those already started are stopped again.
 *
 * @throws KiwiError `slice-missing`, `slice-running`, `slice-unsafe`, `slice-conflict`, `slice-part-failed`,
 *   `tool-missing`
 */
export async function runSlice(options: RunOptions): Promise<RunningSlice> {
  const { dir, clock, log } = options;
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  if (config.deviceKey.tpm !== 'off' && identity.tpmMakers.length === 0) {
    const detail = `slice.json wants device keys in a TPM, and ${paths.tpmMakers} is missing`;
    throw new KiwiError('slice-damaged', { detail, hint: TPM_MAKERS_HINT });
  }
  const caConfig = (await readPart(paths.ca.config, true)).toString('utf8');
  checkCaConfig(caConfig, config, identity.grantCertificate);
  // A slice that an earlier version made has templates without what this version issues.
  const renewed = renewTemplates(caConfig, config);
  if (renewed !== caConfig) await writeDurableFile(paths.ca.config, renewed, 0o600);
  const fleetConfig = await checkedFleetConfig(dir);
  const directory = await openDirectory(paths, config, identity.mspRoot.pem, clock);
  const program = await findStepCa(options.env);

  const undo: (() => Promise<unknown>)[] = [];
  const stop = (): Promise<void> => stopAll(undo, log);
  try {
    const { self } = await takePlace(paths, config, clock, { wireguard: options.endpoint === undefined });
    undo.push(() => removeRunRecord(paths.run.lock, self));
    const endpoint = await (options.endpoint?.() ?? startWireguard(wireguardOptions(paths, config, fleetConfig)));
    undo.push(() => endpoint.stop());
    const registry = openRegistry(paths);
    undo.push(() => {
      registry.close();
      return Promise.resolve();
    });
    const slug = config.customer.slug;
    const auditSeal = new AuditSeal({ file: paths.auditCheckpoint, slug, identity, registry, clock });
    undo.push(() => auditSeal.seal());
    const settings = new SettingsWatch({ dir, registry, clock });
    // While the slice is down, nobody sees what is changed.
    await settings.look();
    const ca = createCaClient({
      url: `https://${config.inside.address}:${config.ca.port}`,
      root: identity.mspRoot.pem,
      provisioner: PROVISIONER.gateway,
      keyId: config.ca.gatewayKid,
      key: createPrivateKey(await readPart(paths.gateway.provisionerKey, true)),
      clock,
    });
    undo.push(() => ca.close());
    const stepCa = await startStepCa({
      program,
      dir: paths.ca.dir,
      log: paths.ca.log,
      clock,
      healthy: () => ca.healthy(),
      started: (pid) => recordStepCa(paths, self, pid),
      failed: (error) => log.error({ detail: toKiwiError(error).detail }, 'step-ca could not be started again'),
    });
    undo.push(() => stepCa.stop());
    const client = fleetConfig === undefined ? undefined : createFleetClient(fleetConfig, clock);
    if (client !== undefined) undo.push(() => client.close());
    const context: SliceContext = {
      config,
      identity,
      registry,
      auditSeal,
      settings,
      ca,
      endpoint,
      directory,
      packages: new PackageShelf(paths.packages),
      fleet: fleetConfig === undefined || client === undefined ? undefined : fleetPart(dir, fleetConfig, client),
      clock,
      log,
    };
    await reconcilePeers(context);
    const upkeep = new AbortController();
    const reaping = reapUntil(context, upkeep.signal);
    undo.push(async () => {
      upkeep.abort();
      await reaping;
    });
    const pair = await readWebPair(paths);
    const gateway = await listen(context, pair);
    undo.push(() => gateway.close());
    const web = new WebCertificateInUse(context, paths, gateway, pair);
    undo.push(await serveOperators({ paths, config, identity, registry, seal: auditSeal, settings, clock }, log));
    const { address: host, port } = gateway.server.address() as AddressInfo;
    const status = (): Promise<PartsStatus> => statusOf(context, gateway, web);
    const reload = async (): Promise<Record<string, never>> => {
      await web.reload();
      return {};
    };
    const control = await serveControl(paths.run.controlSocket, { status, reload });
    undo.push(() => closeSocket(control, paths.run.controlSocket));
    return { context, listen: { host, port }, stepCaPid: () => stepCa.pid, status, stop };
  } catch (error) {
    // The cause of the failed start is reported; what could not be stopped is in the log.
    const explained = await explainConflict(error, config);
    await stop().catch(() => undefined);
    throw explained;
  }
}

/**
 * Runs every step, even when one before it failed.
 * @throws the first failure, after all of them
 */
async function stopAll(undo: (() => Promise<unknown>)[], log: Logger): Promise<void> {
  const failures: unknown[] = [];
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
      const { code, detail } = toKiwiError(error);
      log.error({ code, detail }, 'a part could not be stopped');
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function recordStepCa(paths: SlicePaths, self: ProcessMark, pid: number): Promise<void> {
  const stepCa = await markOf(pid);
  await updateRunRecord(paths.run.lock, { slice: self, ...(stepCa === undefined ? {} : { stepCa }) });
}

function wireguardOptions(
  paths: SlicePaths,
  config: SliceConfig,
  fleet: FleetConfig | undefined,
): Parameters<typeof startWireguard>[0] {
  const url = fleet === undefined ? undefined : new URL(fleet.url);
  return {
    interface: config.wireguard.interface,
    port: config.wireguard.port,
    address: config.inside.address,
    prefixLength: prefixLengthOf(config.inside.network),
    network: config.inside.network,
    insideCidrs: config.inside.cidrs,
    dnsServers: config.inside.dns.servers,
    ...(url === undefined ? {} : { fleet: { host: url.hostname, port: Number(url.port || 443) } }),
    privateKeyFile: paths.wireguard.privateKey,
    runDir: paths.run.dir,
    stateFile: paths.run.endpoint,
  };
}

/** Every laptop would refuse a package that changed since it was configured: better to fail here. */
async function checkedFleetConfig(dir: string): Promise<FleetConfig | undefined> {
  const config = await readFleetConfig(dir);
  for (const { file, sha256 } of config?.packages ?? []) {
    if ((await hashFile(file)).sha256 !== sha256) {
      throw new KiwiError('slice-part-failed', { detail: `Fleet package ${file} has changed since it was configured` });
    }
  }
  return config;
}

async function listen(context: SliceContext, pair: WebPair): Promise<FastifyInstance> {
  const gateway = await buildGateway(context, pair);
  try {
    await gateway.listen(context.config.gateway.listen);
    return gateway;
  } catch (error) {
    await gateway.close();
    throw new KiwiError('slice-part-failed', { detail: `gateway: ${toKiwiError(error).detail ?? ''}`, cause: error });
  }
}

async function statusOf(
  context: SliceContext,
  gateway: FastifyInstance,
  web: WebCertificateInUse,
): Promise<PartsStatus> {
  const [stepCa, endpoint, fleet, devices] = await Promise.all([
    context.ca.healthy(),
    context.endpoint.healthy(),
    context.fleet?.client.reachable(),
    context.registry.listDevices(),
  ]);
  const count = (state: string): number => devices.filter((device) => device.state === state).length;
  return {
    gateway: gateway.server.listening,
    stepCa,
    endpoint,
    auditWhole: context.auditSeal.whole,
    fleet: fleet === undefined ? 'not-configured' : fleet ? 'reachable' : 'unreachable',
    devices: { pending: count('pending'), active: count('active') },
    web: { certificate: web.certificate, ...(web.refused === undefined ? {} : { refused: web.refused }) },
  };
}

async function closeSocket(server: Server, file: string): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
  await rm(file, { force: true });
}
