import { KiwiError } from '../../../core/errors.ts';
import { deriveWireguardKey } from '../../tunnel/wireguard-key.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

const PROBE_MS = 5000;

/** A crash leaves a configuration, perhaps an interface; `up` takes the desired state and may be repeated. */
export const tunnel: EnrollmentStep = {
  name: 'tunnel',
  title: 'Bring up the tunnel',
  // Always applied: an equal running tunnel is left alone by `up` itself, which knows best what equal is.
  inspect: () => Promise.resolve('absent'),
  async apply(run) {
    const { slug } = run.record;
    const { grant } = await run.granted();
    const { privateKey } = deriveWireguardKey({ deviceKey: await run.deviceKey(), slug, generation: 0 });
    try {
      await run.platform.tunnel.up({ slug, privateKey, ...grant.wireguard }, run.signal);
    } finally {
      privateKey.clear();
    }
  },
  async verify(run) {
    const { grant } = await run.granted();
    if (await run.platform.tunnel.probe(grant.wireguard.probe, PROBE_MS, run.signal)) return;
    throw new KiwiError('tunnel-no-handshake', { detail: `${grant.wireguard.probe} inside does not answer` });
  },
  async undo({ platform, record }) {
    await platform.tunnel.down(record.slug);
  },
};
