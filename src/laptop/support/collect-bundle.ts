import { randomBytes } from 'node:crypto';
import path from 'node:path';

import { base64url, digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { LIMITS } from '../../protocol/common.ts';
import { writeBundle, type BundleManifest } from '../../protocol/support-bundle.ts';
import { lookWhatWorks } from '../checks/look-what-works.ts';
import { enrollmentFacts, type EnrollmentFacts } from '../checks/enrollment-facts.ts';
import { examine } from '../doctor/examine.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { signDeviceMessage } from '../exchange/sign-device-message.ts';
import { Journal } from '../pipeline/journal.ts';
import { FarewellFile } from '../state/farewell.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import { SeenFile } from '../state/seen.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { findOverlap } from '../tunnel/find-overlap.ts';
import { CONTENTS } from './contents.ts';
import { keep, LeftOut, type Allowed } from './keep.ts';
import { knownLines } from './log-grammar.ts';

const LOG_DAYS = 14;

export interface Bundle {
  readonly manifest: BundleManifest;
  /** The manifest's text, which is what is signed. */
  readonly said: string;
  readonly signed: boolean;
  readonly files: Readonly<Record<string, string>>;
  /** The file. */
  readonly text: string;
}

/**
 * Collects what helps whoever looks into a laptop, and nothing that is not on the list in `contents.ts`. Changes nothing. A part that
 * cannot be read is absent: a bundle is made on laptops on which something is wrong.
 * @throws KiwiError `not-root`
 */
export async function collectBundle(context: LaptopContext): Promise<Bundle> {
  const { platform, clock } = context;
  const leftOut = new LeftOut();
  const { record: loaded, outcomes } = await examine(context);
  if (loaded instanceof KiwiError && loaded.code === 'not-root') throw loaded;
  const record = loaded instanceof KiwiError ? undefined : loaded;
  const facts = record === undefined ? undefined : enrollmentFacts(context, record);
  const parts: [name: string, why: string, text: string | undefined][] = await Promise.all([
    json('versions.json', 'which versions these are', versions(context), CONTENTS.versions),
    json('doctor.json', 'what works and what does not, by code', doctor(context, facts, outcomes), CONTENTS.doctor),
    json('enrollment.json', 'which enrollment it is', Promise.resolve(record && ofRecord(record)), CONTENTS.enrollment),
    json('journal.json', 'which steps were taken when', journal(context), CONTENTS.journal),
    json('units.json', 'the states of our services', platform.reports.units(record?.slug), undefined),
    json('network.json', 'the tunnel, without addresses of other networks', network(facts), CONTENTS.network),
    log(),
    certificate(),
  ]);

  const files = Object.fromEntries(parts.flatMap(([name, , text]) => (text === undefined ? [] : [[name, text]])));
  const manifest: BundleManifest = {
    form: 'kiwistack-support/1',
    bundleId: base64url(randomBytes(16)),
    createdAt: new Date(clock.now()).toISOString(),
    program: VERSION,
    deviceId: record?.device?.deviceId ?? null,
    files: parts.flatMap(([name, why, text]) =>
      text === undefined ? [] : [{ name, size: Buffer.byteLength(text), sha256: digest(text), why }],
    ),
    leftOut: leftOut.count,
  };
  const said = JSON.stringify(manifest, undefined, 1);
  const signature = await sign(context, record, said);
  return { manifest, said, signed: signature !== null, files, text: writeBundle({ manifest: said, signature, files }) };

  /** `units.json` has a list for each unit. */
  async function json(
    name: string,
    why: string,
    value: Promise<unknown>,
    allowed: Allowed | undefined,
  ): Promise<[string, string, string | undefined]> {
    const read = await value.catch(() => undefined);
    if (read === undefined) return [name, why, undefined];
    const kept =
      allowed === undefined
        ? Object.fromEntries(
            Object.entries(read as object).map(([unit, shown]) => [unit, keep(shown, CONTENTS.unit, leftOut)]),
          )
        : keep(read, allowed, leftOut);
    return [name, why, kept === undefined ? undefined : `${JSON.stringify(kept, undefined, 1)}\n`];
  }

  async function log(): Promise<[string, string, string | undefined]> {
    const since = clock.now() - LOG_DAYS * 86_400_000;
    const lines = knownLines(await platform.reports.log(since).catch(() => ''), leftOut);
    const text = `${lines.join('\n')}\n`.slice(-LIMITS.bundle / 4);
    return ['log.txt', 'our own log: codes, times, request ids', lines.length === 0 ? undefined : text];
  }

  /** From the bytes that were parsed as certificates: what else may be in the file stays in it. */
  async function certificate(): Promise<[string, string, string | undefined]> {
    const stored = await facts?.certificate().catch(() => undefined);
    const pem = stored && [stored.leaf, stored.intermediate].map((one) => one.pem).join('');
    return ['certificate.pem', 'the public certificate of this laptop, with its issuer', pem];
  }
}

async function versions({ platform }: LaptopContext): Promise<object> {
  const [system, agent] = await Promise.all([
    platform.hardware.readSystem(),
    platform.agent.status().catch(() => undefined),
  ]);
  const { os, osVersion, arch } = system;
  const program = { program: VERSION, node: process.versions.node, kernel: platform.reports.kernel() };
  return { ...program, os, osVersion, arch, fleetAgent: agent?.version };
}

async function doctor(
  { platform }: LaptopContext,
  facts: EnrollmentFacts | undefined,
  outcomes: Awaited<ReturnType<typeof examine>>['outcomes'],
): Promise<object> {
  const [works, seen, farewells] = await Promise.all([
    facts === undefined ? undefined : lookWhatWorks(facts).catch(() => undefined),
    new SeenFile(platform.stateFolder).load(),
    new FarewellFile(platform.stateFolder).load().catch(() => []),
  ]);
  const failing = works?.failing.map(({ part, code }) => ({ part, code }));
  const checks = outcomes.map(({ code, severity, state, because, error }) => ({
    ...{ code, severity, state, because },
    error: error && { code: error.code, requestId: error.requestId },
  }));
  return { checks, works: works && { ...works, failing }, seen, farewells: farewells.length };
}

function ofRecord({ proxy, ...record }: EnrollmentRecord): object {
  return { ...record, hasProxy: proxy !== undefined };
}

function journal({ platform }: LaptopContext): Promise<object> {
  return new Journal(path.join(platform.stateFolder, 'journal.jsonl'), ENROLLMENT).read();
}

async function network(facts: EnrollmentFacts | undefined): Promise<object | undefined> {
  if (facts === undefined) return undefined;
  const { context, record } = facts;
  const { tunnel } = context.platform;
  const [status, inside, local, overlap] = await Promise.all([
    facts.tunnel(),
    facts.inside(),
    tunnel.localNetworks(record.slug).catch(() => []),
    findOverlap(tunnel, record.slug, record.device?.tunnel?.networks ?? []).catch(() => undefined),
  ]);
  const { up, startsAtBoot, mtu, lastHandshake, rxBytes, txBytes, splitDns, endpoint } = status;
  const age = lastHandshake === undefined ? undefined : Math.round((context.clock.now() - lastHandshake) / 1000);
  const family = endpoint === undefined ? undefined : endpoint.startsWith('[') ? 'ipv6' : 'ipv4';
  const count = (kind: string): number => local.filter((one) => one.kind === kind).length;
  return {
    tunnel: {
      ...{ up, inside, startsAtBoot, mtu, rxBytes, txBytes, splitDns },
      ...{ lastHandshakeSecondsAgo: age, endpointFamily: family },
    },
    local: { addresses: count('address'), routes: count('route'), nextHops: count('next hop') },
    overlaps: overlap !== undefined,
  };
}

/** Null where the device key is gone: then the bundle says what is wrong, and nobody can tell whose it is. */
async function sign(
  { platform, clock }: LaptopContext,
  record: EnrollmentRecord | undefined,
  manifest: string,
): Promise<string | null> {
  const deviceId = record?.device?.deviceId;
  if (record === undefined || deviceId === undefined) return null;
  const key = await platform.certificates.loadDeviceKey(record.slug).catch(() => undefined);
  if (key === undefined) return null;
  return signDeviceMessage({ deviceId, key }, 'bundle', { manifestHash: digest(manifest) }, clock.now());
}
