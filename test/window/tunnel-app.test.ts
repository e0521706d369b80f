import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { launch, WindowPage } from './page.ts';
import { VIEWS } from './views.ts';

// The page that leads through the WireGuard app: nothing is changed before the person has said so, and what is next is read out.
const PROJECT = path.join(import.meta.dirname, '../..');
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it'] as const;

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-tunnel-app-'));
  execFileSync(process.execPath, [
    ...[path.join(PROJECT, 'installers/build/desktop.ts'), '--kind', 'test', '--out', folder],
  ]);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

const status = (name: 'status-mac' | 'status-app' | 'status-well') => VIEWS[name] ?? { page: 'looking' as const };

test('it is offered on a Mac alone, and asked about before anything is changed', async () => {
  const window = await WindowPage.open(browser, folder, 'en');
  const { page } = window;
  await window.show(status('status-well'));
  expect(await page.getByText('WireGuard').count()).toBe(0);
  await window.show(status('status-mac'));
  await page.getByRole('button', { name: 'Use the WireGuard app…' }).click();
  expect(await page.textContent('h1')).toBe('Use the WireGuard app?');
  expect(await page.evaluate(`document.activeElement.tagName`)).toBe('H1');
  expect(await page.textContent('main')).toContain('only after somebody has logged in');
  await page.getByRole('button', { name: 'Leave it as it is' }).click();
  expect(await window.calls()).toEqual([]);
  await page.getByRole('button', { name: 'Use the WireGuard app…' }).click();
  await page.getByRole('button', { name: 'Use the app' }).click();
  expect(await window.calls()).toEqual(['tunnelByApp']);
  await window.close();
});

test('each step is read out, in order, and can be cancelled; then the way back is there', async () => {
  const window = await WindowPage.open(browser, folder, 'en');
  const { page } = window;
  const live = (): Promise<string | null> => page.textContent('[aria-live]');
  await window.show({ page: 'tunnel-app' });
  await window.show({ page: 'tunnel-app', waitsFor: 'app' });
  expect(await live()).toBe('The WireGuard app is not on this laptop yet.');
  expect(await page.locator('main ol li').allTextContents()).toHaveLength(2);
  // The page asks for nothing from a network: what there is to open is said in words.
  expect(await page.locator('main a').count()).toBe(0);
  await window.show({ page: 'tunnel-app', waitsFor: 'approval' });
  expect(await live()).toBe('A profile is ready for the app. Approve it:');
  expect(await page.locator('main ol li').allTextContents()).toHaveLength(3);
  await page.getByRole('button', { name: 'Cancel' }).click();
  expect(await window.calls()).toEqual(['cancel']);
  await window.show({ page: 'tunnel-app', waitsFor: 'hand-over' });
  expect(await live()).toContain('It is approved.');
  await window.show(status('status-app'));
  expect(await live()).toBe('The WireGuard app keeps the secure connection now.');
  await page.getByRole('button', { name: 'Without the WireGuard app' }).click();
  expect(await window.calls()).toEqual(['cancel', 'tunnelByDaemon']);
  expect(window.complaints).toEqual([]);
  await window.close();
});

test.each(LANGUAGES)('in %s the question is without a finding of axe, light and dark', async (language) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const window = await WindowPage.open(browser, folder, language, { colorScheme, reducedMotion: 'reduce' });
    await window.show(status('status-mac'));
    // The first of the last row of buttons is the report.
    await window.page.locator('main p.row').last().locator('button').nth(1).click();
    expect(await window.page.locator('main dl').count()).toBe(0);
    expect(await window.faults()).toEqual([]);
    await window.close();
  }
});
