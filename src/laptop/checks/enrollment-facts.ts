import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { askSlice } from '../standing/ask-slice.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { DeviceCertificate } from '../system/certificate-store.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { AgentStatus } from '../system/fleet-agent.ts';
import type { Inspector } from '../system/inspector.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { TunnelKeepers } from '../system/tunnel-app.ts';
import type { TunnelStatus } from '../system/tunnel.ts';

const PROBE_MS = 2_000;
/** Less than the time that a check has, so that the reason is the slice's and not that the check was late. */
const SLICE_MS = 10_000;

/** What several checks look at. Each fact is looked up once, when it is first asked for. */
export interface EnrollmentFacts {
  readonly context: LaptopContext;
  /** False: much cannot be seen. What is denied is then not known rather than wrong. */
  readonly isRoot: boolean;
  /** Why there is no record; absent when there is one. */
  readonly unrecorded?: KiwiError;
  /** Throws the reason where there is none: `not-enrolled`, `not-root`, `state-damaged`. */
  readonly record: EnrollmentRecord;
  readonly certificate: () => Promise<DeviceCertificate | undefined>;
  readonly deviceKey: () => Promise<DeviceKey | undefined>;
  readonly tunnel: () => Promise<TunnelStatus>;
  /** Who keeps the tunnel; undefined where nothing but this program can. */
  readonly keepers: () => Promise<TunnelKeepers | undefined>;
  /** True when the slice answers inside the tunnel. */
  readonly inside: () => Promise<boolean>;
  /** A name of the customer's that is inside, Fleet's, with its addresses; undefined where Fleet's URL names an address. */
  readonly insideName: () => Promise<{ readonly name: string; readonly addresses: readonly string[] } | undefined>;
  readonly agent: () => Promise<AgentStatus>;
  /** The slice's answer, or why there was none. */
  readonly slice: () => Promise<DeviceStatus | KiwiError>;
  /** The package of this program. */
  readonly package: () => ReturnType<Inspector['package']>;
  /** An undo was begun and is not finished. */
  readonly halfRemoved: () => Promise<boolean>;
}

/** @param loaded the record, or why there is none */
export function enrollmentFacts(
  context: LaptopContext,
  loaded: EnrollmentRecord | KiwiError,
  halfRemoved: () => Promise<boolean> = () => Promise.resolve(false),
): EnrollmentFacts {
  const { platform } = context;
  const record = (): EnrollmentRecord => {
    if (loaded instanceof KiwiError) throw loaded;
    return loaded;
  };
  const lookInside = async (): Promise<boolean> => {
    const { device } = record();
    return device !== undefined && (await platform.tunnel.probe(device.probe, PROBE_MS, context.signal));
  };
  return {
    context,
    isRoot: platform.inspector.isRoot(),
    ...(loaded instanceof KiwiError ? { unrecorded: loaded } : {}),
    get record() {
      return record();
    },
    certificate: once(async () => platform.certificates.load(record().slug)),
    deviceKey: once(async () => platform.certificates.loadDeviceKey(record().slug)),
    tunnel: once(async () => platform.tunnel.status(record().slug)),
    keepers: once(async () => platform.tunnelApp.look(record().slug)),
    inside: once(lookInside),
    insideName: once(async () => {
      const name = nameIn(record().device?.fleetUrl ?? '');
      return name === undefined ? undefined : { name, addresses: await platform.inspector.resolve(name) };
    }),
    agent: once(() => platform.agent.status()),
    package: once(() => platform.inspector.package('kiwistack-enroll')),
    halfRemoved: once(halfRemoved),
    slice: once(async () => {
      const asked = record();
      return askSlice(context, asked, SLICE_MS).catch((error: unknown) => toKiwiError(error));
    }),
  };
}

/** Looks when it is first asked for, and no second time. */
export function once<Fact>(look: () => Promise<Fact>): () => Promise<Fact> {
  let found: Promise<Fact> | undefined;
  return () => (found ??= look());
}

/** The host of a URL where it is a name; undefined where it is an address. */
export function nameIn(url: string): string | undefined {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  return host === '' || /^(?:[\d.]+|\[.*\])$/u.test(host) ? undefined : host;
}
