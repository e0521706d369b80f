import { KiwiError } from '../../core/errors.ts';
import { endedError } from '../standing/ended-error.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

export const certificatePresent: Check = {
  code: 'certificate-present',
  severity: 'failure',
  what: 'There is a device certificate, with its intermediate and root.',
  matters: 'Services inside refuse this laptop.',
  dependsOn: [],
  async run({ context, record, certificate }) {
    const stored = await certificate();
    const file = context.platform.certificates.paths(record.slug).certificate;
    if (stored !== undefined) return well(`${file}, serial number ${stored.leaf.serialHex}`);
    const hint = 'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.';
    return notWell(new KiwiError('enrollment-unhealthy', { detail: 'the device certificate is missing', hint }));
  },
};

export const certificateValid: Check = {
  code: 'certificate',
  severity: 'failure',
  what: 'The device certificate has not expired, and the slice has not revoked it.',
  matters: 'Services inside refuse this laptop.',
  dependsOn: ['certificate-present'],
  async run({ context, certificate, slice }) {
    const notAfter = (await certificate())?.leaf.notAfter;
    if (notAfter === undefined) return notKnown('there is none');
    // Its date says nothing any more: it is revoked.
    const answer = await slice();
    if (!(answer instanceof KiwiError) && answer.state === 'ended') return notWell(endedError(answer));
    if (notAfter.getTime() > context.clock.now()) return well(`valid until ${notAfter.toISOString()}`);
    const detail = `it expired at ${notAfter.toISOString()}`;
    return notWell(new KiwiError('device-certificate-expired', { detail }), 'renew-certificate');
  },
};

/** The clock is wrong rather than the certificate, which the slice dates back by a minute. */
export const certificateBegun: Check = {
  code: 'certificate-begun',
  severity: 'failure',
  what: "By this laptop's clock, the device certificate is valid already.",
  matters: 'This laptop takes certificates for not yet valid, also those of the gateway and of websites.',
  dependsOn: ['certificate-present'],
  async run({ context, certificate }) {
    const notBefore = (await certificate())?.leaf.notBefore;
    if (notBefore === undefined) return notKnown('there is none');
    const now = context.clock.now();
    if (notBefore.getTime() <= now) return well(`valid since ${notBefore.toISOString()}`);
    const detail = `valid from ${notBefore.toISOString()} on; this laptop's clock shows ${new Date(now).toISOString()}`;
    return notWell(new KiwiError('clock-unset', { detail }));
  },
};

export const certificateChains: Check = {
  code: 'certificate-chain',
  severity: 'failure',
  what: "The device certificate leads to the provider's root that the package pins.",
  matters: 'Services inside refuse this laptop, or this laptop refuses the answers of the slice.',
  dependsOn: ['certificate-present'],
  async run({ context, certificate }) {
    const stored = await certificate();
    if (stored === undefined) return notKnown('there is none');
    const { leaf, intermediate, roots } = stored;
    const fault = (detail: string) => notWell(new KiwiError('certificate-untrusted', { detail }), 'renew-certificate');
    if (!leaf.isSignedBy(intermediate)) return fault('the intermediate beside it has not signed it');
    const pinned = context.roots.length > 0 ? context.roots : roots;
    const root = pinned.find((one) => intermediate.isSignedBy(one));
    return root === undefined
      ? fault('no pinned root has signed its intermediate')
      : well(root.subject.cn ?? 'the root');
  },
};

/** Nothing of ours uses it so: what stands in the way is no reason to be without an enrollment, and nobody else would say it. */
export const certificateUsable: Check = {
  code: 'certificate-usable',
  severity: 'warning',
  what: 'Programs of the system itself, such as its Wi-Fi, find the device certificate with its key.',
  matters: 'They cannot sign in with it. The tunnel, the renewal and Fleet do not need it.',
  dependsOn: ['certificate-present'],
  async run({ context: { platform }, record }) {
    const use = await platform.certificates.systemUse(record.slug);
    return use instanceof KiwiError ? notWell(use, 'give-certificate') : well(use);
  },
};

export const rootsPinned: Check = {
  code: 'pinned-roots',
  severity: 'warning',
  what: "The file with the provider's roots, which the package of kiwistack-enroll brings, is there.",
  matters:
    'This enrollment keeps working with the roots that it was made with, but this laptop cannot be enrolled again.',
  dependsOn: [],
  run({ context: { platform, roots } }) {
    const { pinnedRootsFile } = platform;
    if (roots.length > 0) return Promise.resolve(well(`${roots.length} in ${pinnedRootsFile}`));
    return Promise.resolve(notWell(new KiwiError('pinned-roots-missing', { detail: `none in ${pinnedRootsFile}` })));
  },
};
