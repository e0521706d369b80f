import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { launch, WindowPage } from './page.ts';
import { VIEWS } from './views.ts';

// What WCAG 2.2 AA asks for beyond what axe can see: large text, forced colours, no motion, the keyboard alone, and what is read out.
const PROJECT = path.join(import.meta.dirname, '../..');
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it'] as const;

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-access-'));
  const build = path.join(PROJECT, 'installers/build/desktop.ts');
  execFileSync(process.execPath, [build, '--kind', 'test', '--out', folder]);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

test.each(LANGUAGES)('in %s nothing is cut off at twice the size of text, nor in a narrow window', async (language) => {
  for (const [width, size] of [
    [760, 200],
    [360, 100],
    [320, 100],
  ] as const) {
    const window = await WindowPage.open(browser, folder, language, { viewport: { width, height: 680 } });
    await window.page.evaluate(`document.documentElement.style.fontSize = '${size}%'`);
    const cut: Record<string, unknown> = {};
    for (const [name, view] of Object.entries(VIEWS)) {
      await window.show(view);
      const outside = await window.page.evaluate<string[]>(`[...document.querySelectorAll('main *')]
        .filter((part) => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !part.closest('pre, svg, .only-read'))
        .map((part) => part.tagName + ' ' + part.textContent.slice(0, 40))`);
      if (outside.length > 0) cut[name] = outside;
    }
    expect(cut, `${width} px, ${size} %`).toEqual({});
    await window.close();
  }
});

test('in forced colours every page is without a finding, and buttons and fields have an edge', async () => {
  const window = await WindowPage.open(browser, folder, 'en', { forcedColors: 'active' });
  for (const [name, view] of Object.entries(VIEWS)) {
    await window.show(view);
    expect(await window.faults(), name).toEqual([]);
    const flat = await window.page.evaluate<
      string[]
    >(`[...document.querySelectorAll('button, input:not([type=checkbox])')]
      .filter((part) => parseFloat(getComputedStyle(part).borderTopWidth) < 1).map((part) => part.outerHTML)`);
    expect(flat, name).toEqual([]);
  }
  await window.close();
});

test('where no motion is wanted, nothing moves', async () => {
  for (const [reducedMotion, moving] of [
    ['reduce', 0],
    ['no-preference', 2],
  ] as const) {
    const window = await WindowPage.open(browser, folder, 'en', { reducedMotion });
    await window.show(VIEWS['touch'] ?? { page: 'looking' });
    expect(await window.page.evaluate(`document.getAnimations().length`)).toBe(moving);
    await window.close();
  }
});

test('the keyboard reaches everything that can be used, in the order of the page, and shows where it is', async () => {
  const window = await WindowPage.open(browser, folder, 'en');
  for (const [name, view] of Object.entries(VIEWS)) {
    await window.show({ page: 'looking' });
    await window.show(view);
    // A page begins at its heading, for those who listen.
    expect(await window.page.evaluate(`document.activeElement.tagName`), name).toBe('H1');
    const usable = await window.page.evaluate<
      string[]
    >(`[...document.querySelectorAll('main button, main input, main summary')]
      .filter((part) => part.checkVisibility()).map((part) => part.id || part.textContent)`);
    const reached: string[] = [];
    for (const _ of usable) {
      await window.page.keyboard.press('Tab');
      reached.push(
        await window.page.evaluate<string>(`document.activeElement.id || document.activeElement.textContent`),
      );
      expect(await window.page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`), name).toBe('solid');
    }
    expect(reached, name).toEqual(usable);
  }
  await window.close();
});

test('the heading has the focus as soon as it is there: a Tab that is pressed at once is not undone', async () => {
  const window = await WindowPage.open(browser, folder, 'en');
  await window.show({ page: 'looking' });
  // An observer is told right after the document has changed, before the page is painted.
  await window.page.evaluate(`globalThis.focused = [];
    new MutationObserver(() => focused.push(document.activeElement.tagName)).observe(document.body, { childList: true, subtree: true, characterData: true });`);
  await window.show(VIEWS['pin'] ?? { page: 'looking' });
  expect(await window.page.evaluate(`focused`)).toEqual(['H1']);
  await window.close();
});

test('touch and progress are read out when they change, seconds only now and then', async () => {
  const window = await WindowPage.open(browser, folder, 'en');
  const live = (): Promise<string[]> =>
    window.page.evaluate(`[...document.querySelectorAll('[aria-live], [role=alert]')].map((part) => part.textContent)`);
  await window.show({ page: 'progress', steps: [] });
  expect(await live()).toContain('Nothing is needed from you now.');
  await window.show({ page: 'progress', steps: [], waitsFor: 'no-network' });
  expect((await live()).join()).toContain('This laptop has no network.');

  const { slice } = VIEWS['touch'] as Extract<(typeof VIEWS)[string], { page: 'touch' }>;
  await window.show({ page: 'touch', slice, endsAt: Date.now() + 12_900 });
  expect(await live()).toEqual(['Its light is blinking. Put a finger on the metal.', '']);
  expect(await window.page.textContent('.seconds')).toMatch(/^1[23] seconds left$/u);
  await expect.poll(async () => (await live())[1]).toBe('10 seconds left');
  await window.show({ page: 'touch', slice, endsAt: Date.now() - 1 });
  await expect.poll(async () => (await live())[1]).toBe('It is waiting a little longer…');
  await window.close();
});
