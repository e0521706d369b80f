import { KiwiError } from '../../../core/errors.ts';
import { fitPackets, packetsFit } from '../../tunnel/fit-packets.ts';
import { deriveWireguardKey } from '../../tunnel/wireguard-key.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

const PROBE_MS = 5000;

/** A crash leaves a configuration and perhaps an interface; `up` takes the desired state and is safe to repeat. */
export const tunnel: EnrollmentStep = {
  name: 'tunnel',
  title: 'Bring up the tunnel',
  // Always applied: `up` itself decides whether the running tunnel already matches, and then leaves it alone.
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { slug } = run.record;
    const { grant } = await run.granted();
    const { privateKey } = await deriveWireguardKey({ deviceKey: await run.deviceKey(), slug, generation: 0 });
    try {
      await run.platform.tunnel.up({ slug, privateKey, ...grant.wireguard }, run.signal);
    } finally {
      privateKey.clear();
    }
  },
  async verify(run) {
    const { grant } = await run.granted();
    const { probe } = grant.wireguard;
    const { tunnel } = run.platform;
    const path = { tunnel, slug: run.record.slug, probe };
    // At once, because over a long way each takes its time.
    const [answers, fit] = await Promise.all([
      tunnel.probe(probe, PROBE_MS, run.signal),
      packetsFit(path, run.signal).catch(() => false),
    ]);
    if (!answers) throw new KiwiError('tunnel-no-handshake', { detail: `${probe} in the tunnel does not answer` });
    // Before anything larger goes through it.
    if (!fit) await fitPackets(path, run.signal);
  },
  async undo({ platform, recordIfAny }) {
    await platform.tunnel.down(recordIfAny?.slug);
  },
};
