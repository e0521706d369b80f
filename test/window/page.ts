import { readFile } from 'node:fs/promises';
import path from 'node:path';

import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

import { FUNCTIONS } from '../../src/apps/desktop/main/functions.ts';
import { FILES, HEADERS } from '../../src/apps/desktop/main/page-files.ts';
import type { View } from '../../src/apps/desktop/view/view.ts';

/** Chromium says it of each page with both, also of one that is no frame and has nothing around it to escape to. */
const OF_FRAMES =
  'An iframe which has both allow-scripts and allow-same-origin for its sandbox attribute can escape its sandboxing.';
const ORIGIN = 'https://window.example';

/** Debian's. As root it has no sandbox: these pages are ours, and nothing else is loaded. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
}

/** A page of the window outside of it: the built files with their headers, and functions that note what was called. */
export class WindowPage {
  readonly page: Page;
  /** What the page could not do under its policy, and what it wrote to the console. */
  readonly complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(
    browser: Browser,
    folder: string,
    language: string,
    options: BrowserContextOptions = {},
  ): Promise<WindowPage> {
    const context = await browser.newContext({ viewport: { width: 760, height: 680 }, ...options });
    const page = await context.newPage();
    const self = new WindowPage(page);
    page.on('console', (message) => {
      if (message.text() !== OF_FRAMES) self.complaints.push(message.text());
    });
    page.on('pageerror', (error) => self.complaints.push(error.message));
    await page.route('**/*', async (route) => {
      const { pathname } = new URL(route.request().url());
      const type = FILES[pathname];
      if (type === undefined) return route.fulfill({ status: 404, body: '' });
      const body = await readFile(path.join(folder, 'page', pathname));
      return route.fulfill({ body, headers: { ...HEADERS, 'content-type': type } });
    });
    await page.addInitScript(
      ({ languages, names }) => {
        const calls: string[] = [];
        const noted = names.map((name) => [name, () => void calls.push(name)]);
        const listeners: ((view: unknown) => void)[] = [];
        Object.assign(globalThis, {
          calls,
          show: (view: unknown) => {
            for (const listener of listeners) listener(view);
          },
          kiwi: {
            ...(Object.fromEntries(noted) as object),
            languages,
            onView: (listener: (view: unknown) => void) => listeners.push(listener),
          },
        });
      },
      { languages: [language], names: Object.keys(FUNCTIONS) },
    );
    await page.goto(`${ORIGIN}/index.html`);
    await page.waitForSelector('h1');
    return self;
  }

  async show(view: View): Promise<void> {
    await this.page.evaluate((next) => {
      (globalThis as unknown as { show: (view: unknown) => void }).show(next);
    }, view);
    await this.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 30)));
  }

  /** The functions that the page has called. */
  calls(): Promise<string[]> {
    return this.page.evaluate(() => (globalThis as unknown as { calls: string[] }).calls);
  }

  faults(): Promise<string[]> {
    return faultsOf(this.page);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** What axe finds wrong by WCAG 2.2 A and AA, one line each. */
export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as { axe: { run: (options: unknown) => Promise<axe.AxeResults> } }
    ).axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}
