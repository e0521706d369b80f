import type { System } from './package-shelf.ts';
import { TEXTS, type Language } from './texts.ts';

const isLanguage = (text: string): text is Language => Object.hasOwn(TEXTS, text);

/**
 * The language to show: the one that was chosen on the page, else the first of Accept-Language (RFC 9110, section 12.5.4) that there is.
 * @param chosen the query's `lang`
 */
export function languageFor(chosen: unknown, accepted: string | undefined): Language {
  if (typeof chosen === 'string' && isLanguage(chosen)) return chosen;
  const wanted = (accepted ?? '')
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
      const quality = parameters.map((one) => /^\s*q=([01](?:\.\d{0,3})?)$/u.exec(one)?.[1]).find(Boolean);
      return { language: tag.split('-')[0] ?? '', quality: Number(quality ?? '1') };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  return wanted.map(({ language }) => language).find(isLanguage) ?? 'en';
}

/** The visitor's system by the browser's word, which only chooses what is shown first. */
export function systemOf(userAgent: string | undefined): System | undefined {
  const text = (userAgent ?? '').slice(0, 500);
  if (/Windows NT/u.test(text)) return 'windows';
  if (/Mac OS X|Macintosh/u.test(text) && !/iPhone|iPad/u.test(text)) return 'macos';
  if (/Linux|X11/u.test(text) && !/Android/u.test(text)) return 'linux';
  return undefined;
}
