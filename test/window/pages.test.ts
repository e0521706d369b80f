import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { FILES } from '../../src/apps/desktop/main/page-files.ts';
import { launch, WindowPage } from './page.ts';
import { VIEWS } from './views.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const PICTURES = path.join(PROJECT, '.cache/test-reports/window');
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it'] as const;

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-window-'));
  execFileSync(process.execPath, [
    path.join(PROJECT, 'installers/build/desktop.ts'),
    '--kind',
    'test',
    '--out',
    folder,
  ]);
  await mkdir(PICTURES, { recursive: true });
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

test.each(LANGUAGES)('the page with its words in %s is small', async (language) => {
  const parts = await Promise.all(
    ['renderer.js', `texts-${language}.js`].map((name) => readFile(path.join(folder, 'page', name))),
  );
  expect(parts.reduce((sum, part) => sum + gzipSync(part).length, 0)).toBeLessThan(60 * 1024);
  // Everything that was built is on the list of what is served.
  const built = (await readdir(path.join(folder, 'page'))).map((name) => `/${name}`);
  expect(built.sort()).toEqual(Object.keys(FILES).sort());
});

describe.each(LANGUAGES)('in %s', (language) => {
  test('every page is without a finding of axe, and keeps to its policy', async () => {
    const window = await WindowPage.open(browser, folder, language);
    const faults: Record<string, string[]> = {};
    for (const [name, view] of Object.entries(VIEWS)) {
      await window.show(view);
      const found = await window.faults();
      if (found.length > 0) faults[name] = found;
    }
    expect(faults).toEqual({});
    expect(window.complaints).toEqual([]);
    await window.close();
  });
});

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  test.each(['en', 'de'] as const)('pictures in %s; colours are told apart', async (language) => {
    const window = await WindowPage.open(browser, folder, language, { colorScheme, reducedMotion: 'reduce' });
    const faults: string[] = [];
    for (const [name, view] of Object.entries(VIEWS)) {
      await window.show(view);
      faults.push(...(await window.faults()).map((fault) => `${name}: ${fault}`));
      await window.page.screenshot({
        path: path.join(PICTURES, `${name}-${language}-${colorScheme}.png`),
        fullPage: true,
      });
    }
    expect(faults).toEqual([]);
    await window.close();
  });
});
