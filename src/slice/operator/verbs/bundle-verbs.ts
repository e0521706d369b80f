import { KiwiError } from '../../../core/errors.ts';
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
      const bundle = (await registry.findBundle(id)) ?? noBundle(id);
      const verified = await verifyBundle(registry, Buffer.from(bundle.text));
      const why = `${verified.device.hostName}: bundle ${id}`;
      await registry.audit(audited('bundle.read', { deviceId: bundle.deviceId, why }), clock.now());
      return { ...verified, text: bundle.text };
    },
    async 'bundle.remove'({ bundle: id }, { audited }) {
      const { deviceId } = (await registry.findBundle(id)) ?? noBundle(id);
      const entry = audited('bundle.remove', { deviceId, why: `bundle ${id}` });
      if (!(await registry.removeBundle(id, clock.now(), entry))) noBundle(id);
      return {};
    },
  };
}

function noBundle(id: number): never {
  throw new KiwiError('usage', { detail: `no bundle ${id}`, hint: 'See `kiwistack-operator bundle list`.' });
}
