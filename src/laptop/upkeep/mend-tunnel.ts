import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { fitPackets } from '../tunnel/fit-packets.ts';
import { explainSilence } from './explain-silence.ts';
import { LADDER, type Rung } from './ladder.ts';
import { settleTunnel } from './settle-tunnel.ts';

/** How long an address inside has to answer at first: where nothing is known, and where the tunnel is known to be silent. */
const PROBE_MS = { unknown: 3_000, silent: 400 };

export interface TunnelCare {
  /** The rung of the ladder after which the tunnel carried packets again; absent when it did before. */
  readonly mendedBy?: Rung['name'];
  /** The slice had moved, and the tunnel has followed it to this address. */
  readonly followedTo?: string;
  /** The path of the tunnel carries smaller or larger packets than before; its MTU is now this. */
  readonly mtuLoweredTo?: number;
  readonly mtuRaisedTo?: number;
  /** Why the tunnel does not carry what it should. */
  readonly error?: KiwiError;
}

export interface Known {
  /** Something has shown that the tunnel does not carry packets, so that the first probe need not be patient. */
  readonly silent?: boolean;
  /** What the slice has just said about this laptop, or why it did not. */
  readonly slice?: DeviceStatus | KiwiError;
}

/**
 * Mends what the network does to a tunnel that stays as it was granted: it climbs the ladder until an address inside answers, and
 * fits the MTU to the path. A tunnel that is not up is left alone: somebody may have stopped it. First it sees to it that one keeps it.
 */
export async function mendTunnel(
  context: LaptopContext,
  record: EnrollmentRecord,
  known: Known = {},
): Promise<TunnelCare> {
  try {
    const unsettled = await settleTunnel(context, record).then(() => undefined, toKiwiError);
    // Whoever keeps it, it is mended, and that comes first.
    const care = await mend(context, record, known);
    return unsettled === undefined || care.error !== undefined ? care : { ...care, error: unsettled };
  } catch (error) {
    context.signal.throwIfAborted();
    return { error: toKiwiError(error) };
  }
}

async function mend(context: LaptopContext, record: EnrollmentRecord, known: Known): Promise<TunnelCare> {
  const { platform, signal } = context;
  const { tunnel } = platform;
  const { slug, device } = record;
  if (device?.tunnel === undefined) return {};
  const before = await tunnel.status(slug);
  if (!before.up) return {};
  const { probe } = device;
  let care: TunnelCare = {};
  if (!(await tunnel.probe(probe, known.silent === true ? PROBE_MS.silent : PROBE_MS.unknown, signal))) {
    const mendedBy = await climb(context, record, probe);
    if (mendedBy === undefined) return { error: await explainSilence(context, record, known.slice) };
    const { endpoint } = await tunnel.status(slug);
    const moved = mendedBy === 'race' && endpoint !== undefined && endpoint !== before.endpoint;
    care = { mendedBy, ...(moved ? { followedTo: endpoint } : {}) };
  }
  const mtu = await fitPackets({ tunnel, slug, probe }, signal);
  if (mtu === undefined) return care;
  return { ...care, ...(mtu < (before.mtu ?? 0) ? { mtuLoweredTo: mtu } : { mtuRaisedTo: mtu }) };
}

/** @returns the rung after which an address inside answered */
async function climb(
  { platform: { tunnel }, signal }: LaptopContext,
  record: EnrollmentRecord,
  probe: string,
): Promise<Rung['name'] | undefined> {
  for (const { name, act, patienceMs } of LADDER) {
    if ((await act({ tunnel, record, signal })) && (await tunnel.probe(probe, patienceMs, signal))) return name;
  }
  return undefined;
}
