import { describe, expect, it } from 'vitest';

import type { ShelfEntry } from '../../../../src/slice/welcome/package-shelf.ts';
import { languageFor, systemOf } from '../../../../src/slice/welcome/read-visitor.ts';
import { renderPage } from '../../../../src/slice/welcome/render-page.ts';
import { TEXTS } from '../../../../src/slice/welcome/texts.ts';

const AGENTS = {
  windows:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36',
  macos:
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  linux: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
} as const;
const packages: ShelfEntry[] = (['a.deb', 'a.msi', 'a.pkg'] as const).map((name, index) => ({
  ...{ name, system: (['linux', 'windows', 'macos'] as const)[index] ?? 'linux', size: 12_345_678 },
  ...{ sha256: String(index).repeat(64), addedAt: '2026-11-27T00:00:00.000Z' },
}));
const page = (more: Partial<Parameters<typeof renderPage>[0]> = {}): string =>
  renderPage({ customer: 'Acme GmbH', packages, language: 'en', system: undefined, ...more });
const placeholders = (text: string): string[] => [...text.matchAll(/\{\w+\}/gu)].map(([one]) => one).sort();

describe('the gateway’s page', () => {
  it('has the same texts in every language', () => {
    for (const [language, texts] of Object.entries(TEXTS)) {
      for (const [key, text] of Object.entries(texts)) {
        expect(placeholders(text), `${language} ${key}`).toEqual(placeholders(TEXTS.en[key as keyof typeof TEXTS.en]));
      }
    }
  });

  it.each(Object.entries(AGENTS))('shows the package for %s first', (system, agent) => {
    expect(systemOf(agent)).toBe(system);
    const [first = ''] = page({ system: systemOf(agent) })
      .split('class="first"')
      .slice(1);
    expect(first).toContain(packages.find((entry) => entry.system === system)?.name);
  });

  it.each([
    'curl/8.14.1',
    '',
    undefined,
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)',
    'Mozilla/5.0 (Linux; Android 16)',
  ])('knows no system from %s, and shows all', (agent) => {
    expect(systemOf(agent)).toBeUndefined();
    expect(page({ system: undefined })).not.toContain('class="first"');
    for (const { name, sha256 } of packages) expect(page()).toContain(`/packages/${sha256}/${name}`);
  });

  it.each([
    [undefined, 'de-AT,de;q=0.9,en;q=0.5', 'de'],
    [undefined, 'pt, fr;q=0.3, es;q=0.8', 'es'],
    [undefined, 'de;q=0, en', 'en'],
    ['it', 'de', 'it'],
    ['constructor', 'ja', 'en'],
    [['de', 'fr'], undefined, 'en'],
    [undefined, '*;;;,,q=', 'en'],
  ])('for ?lang=%s and %s is in %s', (chosen, accepted, language) => {
    expect(languageFor(chosen, accepted)).toBe(language);
  });

  it('shows a customer’s name as text, and has no script and no style in it', () => {
    const html = page({ customer: `<script>alert("1")</script> & 'Söhne' {name}` });
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;Söhne&#39;');
    for (const language of ['en', 'de', 'fr', 'es', 'it'] as const) {
      expect(page({ language })).not.toMatch(/<script|<style|style=|\son\w+=|javascript:|https?:/u);
    }
  });

  it('says when there is nothing to get', () => {
    expect(page({ packages: [] })).toContain('Your operator has put no package here yet.');
  });
});
