import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const policy = readFileSync(path.join(ROOT, 'installers/linux/polkit/io.kiwistack.enroll.policy'), 'utf8');

describe('the policy file', () => {
  it('has every action that the agent asks for: polkit denies one that it does not know', () => {
    const asked =
      readFileSync(path.join(ROOT, 'platform/linux/polkit.ts'), 'utf8').match(/io\.kiwistack[\w.]+/gu) ?? [];
    const known = [...policy.matchAll(/<action id="([^"]+)">/gu)].map(([, id]) => id);
    expect(known).toEqual(expect.arrayContaining(asked));
    expect(new Set(known).size).toBe(known.length);
    expect(known).toHaveLength(asked.length + 1);
  });

  it('has no two hyphens in a comment (XML 1.0, section 2.5), for which polkit would drop all of it', () => {
    for (const [, comment = ''] of policy.matchAll(/<!--([^]*?)-->/gu)) expect(comment).not.toContain('--');
  });
});
