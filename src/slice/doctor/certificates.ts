import { well, type Finding } from '../../checks/check.ts';
import { confinementFault } from '../../pki/confinement.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { DAY } from '../../pki/issue.ts';
import { readPart } from '../config/slice-identity.ts';
import { webCertificateEnd, webCertificateFault } from '../config/web-certificate-fault.ts';
import { unwell, type SliceCheck, type SliceFacts } from './slice-facts.ts';

const NEW_WEB = 'Get a new one, then `kiwistack-slice reload --tls-cert FILE --tls-key FILE`.';
const NEW_INTERMEDIATE =
  'Have the intermediate signed again: `kiwistack-slice intermediate request`, `sign` and `install`.';
const NEW_ROOT =
  "The provider needs a new root, which every laptop gets with its package: see docs/operators.md, the provider's root.";

const now = ({ clock }: SliceFacts): Date => new Date(clock.now());

/** How long something still lasts, and whether that is enough. */
function lasting(end: Date, at: Date, days: number, hint: string): Finding {
  const left = Math.floor((end.getTime() - at.getTime()) / DAY);
  const saw = `until ${end.toISOString()}, ${left} days`;
  return left < days ? unwell(saw, hint) : well(saw);
}

export const webCertificate: SliceCheck = {
  code: 'web-certificate',
  severity: 'failure',
  what: "The gateway's web certificate is one that laptops accept.",
  matters: 'No laptop reaches the gateway: it cannot enroll, renew or ask.',
  dependsOn: [],
  async run(facts) {
    const certificate = await readPart(facts.paths.gateway.tlsCertificate);
    const key = await readPart(facts.paths.gateway.tlsKey, true);
    const fault = webCertificateFault({ certificate, key }, facts.config.gateway.url, now(facts));
    return fault === undefined
      ? well(`for ${new URL(facts.config.gateway.url).hostname}`)
      : unwell(`it is ${fault.why}`, NEW_WEB);
  },
};

export const webCertificateLasts: SliceCheck = {
  code: 'web-certificate-lasts',
  severity: 'warning',
  what: "The gateway's web certificate is valid for two more weeks.",
  matters: 'When it ends, no laptop reaches the gateway.',
  dependsOn: ['web-certificate'],
  async run(facts) {
    const end = webCertificateEnd(await readPart(facts.paths.gateway.tlsCertificate));
    return lasting(end ?? new Date(0), now(facts), 14, NEW_WEB);
  },
};

export const webCertificateLoaded: SliceCheck = {
  code: 'web-certificate-loaded',
  severity: 'warning',
  what: 'The gateway uses the web certificate that is in the folder.',
  matters: 'It goes on with the older one, until that ends.',
  dependsOn: ['running'],
  async run({ paths, parts }) {
    const stored = (await readPart(paths.gateway.tlsCertificate)).toString('utf8');
    if (parts?.web.certificate === stored) return well('the same one');
    const why = parts?.web.refused;
    return unwell(
      why ?? 'another one is in the folder by now',
      why === undefined ? 'Run `kiwistack-slice reload`.' : NEW_WEB,
    );
  },
};

export const chain: SliceCheck = {
  code: 'chain',
  severity: 'failure',
  what: "The gateway's signature leads to the provider's root.",
  matters: 'No laptop trusts the slice.',
  dependsOn: [],
  run(facts) {
    const { grantCertificate: leaf, intermediate, mspRoot } = facts.identity;
    try {
      verifyChain({ leaf, intermediate, roots: [mspRoot], at: now(facts) });
      return Promise.resolve(well('grant certificate, intermediate, root'));
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      return Promise.resolve(unwell(error.message, NEW_INTERMEDIATE));
    }
  },
};

export const intermediateLasts: SliceCheck = {
  code: 'intermediate-lasts',
  severity: 'warning',
  what: 'Intermediate and grant certificate are valid for three more months.',
  matters: 'When one of them ends, no laptop enrolls or renews, and their certificates end within a day.',
  dependsOn: ['chain'],
  run(facts) {
    const { intermediate, grantCertificate } = facts.identity;
    const end = new Date(Math.min(intermediate.notAfter.getTime(), grantCertificate.notAfter.getTime()));
    return Promise.resolve(lasting(end, now(facts), 90, NEW_INTERMEDIATE));
  },
};

export const rootLasts: SliceCheck = {
  code: 'root-lasts',
  severity: 'warning',
  what: "The provider's root is valid for another year.",
  matters: 'Every laptop of this provider needs another root before, and all that is signed ends with it.',
  dependsOn: ['chain'],
  run: (facts) => Promise.resolve(lasting(facts.identity.mspRoot.notAfter, now(facts), 365, NEW_ROOT)),
};

export const confined: SliceCheck = {
  code: 'intermediate-confined',
  severity: 'failure',
  what: "The intermediate may speak for the customer's names only.",
  matters: 'Laptops refuse to enroll: it could speak for every website.',
  dependsOn: [],
  run({ identity }) {
    const fault = confinementFault(identity.intermediate);
    return Promise.resolve(fault === undefined ? well('it is limited') : unwell(fault, NEW_INTERMEDIATE));
  },
};
