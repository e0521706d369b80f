import { findBundle } from '../find-target.ts';
import { verifyBundle } from '../verify-bundle.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** Support bundles that laptops have sent, or somebody handed over. */
export function bundleVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'bundle'>> {
  return {
    'bundle.verify': ({ bundle }) => verifyBundle(registry, Buffer.from(bundle, 'base64url')),
    async 'bundle.list'() {
      const [bundles, devices] = await Promise.all([registry.listBundles(), registry.listDevices()]);
      const names = new Map(devices.map(({ id, hostName }) => [id, hostName]));
      return bundles.map((bundle) => ({ ...bundle, hostName: names.get(bundle.deviceId) ?? '' }));
    },
    async 'bundle.read'({ bundle: id }, { audited }) {
      const bundle = await findBundle(registry, id);
      const verified = await verifyBundle(registry, Buffer.from(bundle.text));
      const why = `${verified.device.hostName}: bundle ${id}`;
      await registry.audit(audited('bundle.read', { deviceId: bundle.deviceId, why }), clock.now());
      return { ...verified, text: bundle.text };
    },
    async 'bundle.remove'({ bundle: id }, { audited }) {
      const { deviceId } = await findBundle(registry, id);
      const entry = audited('bundle.remove', { deviceId, why: `bundle ${id}` });
      // Somebody else may have removed it meanwhile: then there is none any more.
      if (!(await registry.removeBundle(id, clock.now(), entry))) await findBundle(registry, id);
      return {};
    },
  };
}
