import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { askSlice } from '../standing/ask-slice.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { DeviceCertificate } from '../system/certificate-store.ts';
import type { AgentStatus } from '../system/fleet-agent.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { TunnelStatus } from '../system/tunnel.ts';

const PROBE_MS = 2000;

/** What several checks look at. Each fact is looked up once, when it is first asked for. */
export interface EnrollmentFacts {
  readonly context: LaptopContext;
  readonly record: EnrollmentRecord;
  readonly certificate: () => Promise<DeviceCertificate | undefined>;
  readonly tunnel: () => Promise<TunnelStatus>;
  /** True when the slice answers inside the tunnel. */
  readonly inside: () => Promise<boolean>;
  readonly agent: () => Promise<AgentStatus>;
  /** The slice's answer, or why there was none. */
  readonly slice: () => Promise<DeviceStatus | KiwiError>;
}

export function enrollmentFacts(context: LaptopContext, record: EnrollmentRecord): EnrollmentFacts {
  const { platform } = context;
  const { slug, device } = record;
  return {
    context,
    record,
    certificate: once(() => platform.certificates.load(slug)),
    tunnel: once(() => platform.tunnel.status(slug)),
    inside: once(async () => device !== undefined && (await platform.tunnel.probe(device.probe, PROBE_MS))),
    agent: once(() => platform.agent.status()),
    slice: once(() => askSlice(context, record).catch((error: unknown) => toKiwiError(error))),
  };
}

function once<Fact>(look: () => Promise<Fact>): () => Promise<Fact> {
  let found: Promise<Fact> | undefined;
  return () => (found ??= look());
}
