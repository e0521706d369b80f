import { element } from '../../xml/render-xml.ts';
import { RULE_PREFIX } from './read-results.ts';

export const TAILORED_PROFILE = 'xccdf_kiwistack_profile_image';

/** A tailoring (XCCDF 1.2, section 6.7) that takes rules out of a profile. */
export function renderTailoring(profile: string, without: readonly string[]): string {
  const lines = element(
    'xccdf:Tailoring',
    { 'xmlns:xccdf': 'http://checklists.nist.gov/xccdf/1.2', id: 'xccdf_kiwistack_tailoring_image' },
    [
      element('xccdf:version', { time: '2026-01-01T00:00:00' }, ['1']),
      element('xccdf:Profile', { id: TAILORED_PROFILE, extends: profile }, [
        element('xccdf:title', {}, ['What is to be changed in an image']),
        ...without.map((rule) => element('xccdf:select', { idref: `${RULE_PREFIX}${rule}`, selected: 'false' })),
      ]),
    ],
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${lines.join('\n')}\n`;
}
