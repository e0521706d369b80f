import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { ShelfEntry } from '../../src/slice/welcome/package-shelf.ts';
import { PAGE_POLICY, renderPage } from '../../src/slice/welcome/render-page.ts';
import { STYLE } from '../../src/slice/welcome/style.ts';
import { faultsOf, launch } from './page.ts';

const PICTURES = path.join(import.meta.dirname, '../../.cache/test-reports/window');
const packages: ShelfEntry[] = [
  ['kiwistack-enroll_0.1.0_amd64.deb', 'linux'] as const,
  ['kiwistack-0.1.0.msi', 'windows'] as const,
  ['kiwistack-0.1.0.pkg', 'macos'] as const,
].map(([name, system], index) => ({
  ...{ name, system, size: 54_321_000, sha256: String(index).repeat(64), addedAt: '2026-11-27T00:00:00.000Z' },
}));

let browser: Browser;
beforeAll(async () => {
  await mkdir(PICTURES, { recursive: true });
  browser = await launch();
});
afterAll(() => browser.close());

test.each(['light', 'dark'] as const)(
  'the gateway’s page, %s, in every language: no finding of axe',
  async (scheme) => {
    const context = await browser.newContext({ viewport: { width: 900, height: 900 }, colorScheme: scheme });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    for (const language of ['en', 'de', 'fr', 'es', 'it'] as const) {
      const html = renderPage({ customer: 'Acme & Söhne GmbH', packages, language, system: 'windows' });
      await page.route('**/*', (route) => {
        const isStyle = new URL(route.request().url()).pathname === '/style.css';
        return isStyle
          ? route.fulfill({ body: STYLE, contentType: 'text/css' })
          : route.fulfill({
              body: html,
              contentType: 'text/html',
              headers: { 'content-security-policy': PAGE_POLICY },
            });
      });
      await page.goto('https://gateway.example/');
      expect(await page.evaluate<string>('getComputedStyle(document.body).margin')).toBe('0px');
      await page.screenshot({ path: path.join(PICTURES, `welcome-${language}-${scheme}.png`), fullPage: true });
      expect(await faultsOf(page), language).toEqual([]);
      await page.unroute('**/*');
    }
    expect(complaints).toEqual([]);
    await context.close();
  },
);
