import { readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it } from 'vitest';

import { STYLE } from '../../../../src/slice/welcome/style.ts';

const WINDOW = path.join(import.meta.dirname, '../../../../src/apps/desktop/renderer/style.css');

/** The colours of a stylesheet by name: first those of light, then those that dark has instead. */
function coloursOf(css: string): Record<string, string[]> {
  const colours: Record<string, string[]> = {};
  for (const [, name = '', colour = ''] of css.matchAll(/(--[a-z-]+):\s*(#[0-9a-f]{3,6});/gu)) {
    const long = colour.length === 4 ? colour.replace(/[0-9a-f]/gu, '$&$&') : colour;
    (colours[name] ??= []).push(long);
  }
  return colours;
}

// The page is served without script and without a file of the window, so each has its own stylesheet.
it('the page of the gateway has the colours of the window', () => {
  const window = coloursOf(readFileSync(WINDOW, 'utf8'));
  const page = coloursOf(STYLE);
  expect(Object.keys(page).length).toBeGreaterThan(6);
  for (const [name, [light, dark = light]] of Object.entries(page)) {
    const [windowLight, windowDark = windowLight] = window[name] ?? [];
    expect({ name, light, dark }).toEqual({ name, light: windowLight, dark: windowDark });
  }
});
