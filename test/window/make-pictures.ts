// `npm run pictures`: draws the pictures of the window for docs/window.md, one sheet for each language and scheme.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { launch, WindowPage } from './page.ts';
import { VIEWS } from './views.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const OUT = path.join(PROJECT, 'docs/pictures');
const COLUMNS = 4;
/** Of a page on a sheet, which is half as large as in the window. */
const WIDTH = 380;

const folder = await mkdtemp(path.join(tmpdir(), 'kiwi-pictures-'));
const build = path.join(PROJECT, 'installers/build/desktop.ts');
execFileSync(process.execPath, [build, '--kind', 'test', '--out', folder]);
await mkdir(OUT, { recursive: true });
const browser = await launch();
try {
  for (const language of ['en', 'de']) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const window = await WindowPage.open(browser, folder, language, { colorScheme, reducedMotion: 'reduce' });
      const pictures: string[] = [];
      for (const view of Object.values(VIEWS)) {
        await window.show(view.page === 'touch' ? { ...view, endsAt: Date.now() + 11_900 } : view);
        const picture = await window.page.screenshot({ fullPage: true });
        pictures.push(`<img width="${WIDTH}" src="data:image/png;base64,${picture.toString('base64')}">`);
      }
      await window.close();
      const sheet = await browser.newPage({ viewport: { width: COLUMNS * (WIDTH + 8) + 8, height: 600 } });
      await sheet.setContent(
        `<!doctype html><body style="margin: 8px; background: #888; columns: ${COLUMNS}; column-gap: 8px"><style>img { display: block; margin-bottom: 8px; break-inside: avoid }</style>${pictures.join('')}`,
      );
      await sheet.screenshot({ path: path.join(OUT, `window-${language}-${colorScheme}.png`), fullPage: true });
      await sheet.close();
    }
  }
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
