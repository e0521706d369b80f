import { KiwiError } from '../../core/errors.ts';
import type { BrowserStore } from '../system/inspector.ts';
import { notKnown, notWell, well, type Check, type Finding } from './check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/** The roots that issued the intermediate. The file beside the certificate may be another program's by now. */
async function issuers({ certificate }: EnrollmentFacts) {
  const stored = await certificate();
  return stored?.roots.filter((root) => stored.intermediate.isSignedBy(root)) ?? [];
}

/** What programs read, not the file that we put there. */
export const systemTrusts: Check = {
  code: 'trust-system',
  severity: 'failure',
  what: "The system's bundle of trusted roots has the provider's root.",
  matters: 'Programs on this laptop refuse pages and services inside.',
  dependsOn: ['certificate-present'],
  async run(facts) {
    const roots = await issuers(facts);
    if (roots.length === 0) return notKnown('there is no root beside the certificate');
    if (await facts.context.platform.trust.verify(roots)) return well(roots[0]?.subject.cn ?? 'it is there');
    const detail = 'it is not in the generated bundle';
    return notWell(new KiwiError('trust-missing', { detail }), 'install-roots');
  },
};

/** The bundle is generated: whoever generates it again drops what has no file. */
export const trustLasts: Check = {
  code: 'trust-source',
  severity: 'warning',
  what: "The provider's root has a file from which the bundle is generated.",
  matters: 'The next update of the trusted roots drops it.',
  dependsOn: ['trust-system'],
  async run({ context: { platform } }) {
    const found = (await platform.trust.found()).filter(({ ours }) => ours).map(({ what }) => what);
    if (found.length > 0) return well(found.join(', '));
    return notWell(new KiwiError('trust-missing', { detail: 'its file is gone' }), 'install-roots');
  },
};

const browserCheck = (browser: BrowserStore['browser'], code: string): Check => ({
  code,
  severity: 'warning',
  what: `${browser} trusts the provider's root, in every profile.`,
  matters: `${browser} warns of pages inside.`,
  dependsOn: ['certificate-present'],
  async run(facts) {
    const roots = await issuers(facts);
    const stores = await facts.context.platform.inspector.browserStores(roots.map(({ der }) => der));
    return browserFinding(
      browser,
      stores.filter((one) => one.browser === browser),
    );
  },
});

function browserFinding(browser: string, stores: readonly BrowserStore[]): Finding {
  const named = (some: readonly BrowserStore[]): string =>
    some
      .slice(0, 4)
      .map(({ file, packaging }) => (packaging === 'system' ? file : `${file} (${packaging})`))
      .join(', ');
  if (stores.length === 0) return well(`nobody here has a profile of ${browser}`);
  const without = stores.filter(({ trusts }) => trusts === false);
  if (without.length > 0) return notWell(new KiwiError('browser-untrusting', { detail: named(without) }));
  const unread = stores.filter(({ trusts }) => trusts === undefined);
  return unread.length > 0 ? notKnown(`cannot be read: ${named(unread)}`) : well(named(stores));
}

export const firefoxTrusts = browserCheck('Firefox', 'trust-firefox');
export const chromiumTrusts = browserCheck('Chromium', 'trust-chromium');
