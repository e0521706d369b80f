import type { ShownError } from '../../view/view.ts';
import type { Catalogue, Text, TextKey } from './catalogue.ts';
import { ADVICE_OF } from './errors/advice-of.ts';
import type { ErrorTexts, ShownCode } from './errors/error-texts.ts';

/** What a language file has. */
export interface LanguageTexts {
  readonly texts: Catalogue;
  readonly errors: ErrorTexts;
}

/** Each is a file of its own, and only one is loaded. */
const LANGUAGES = {
  en: () => import('./languages/en.ts'),
  de: () => import('./languages/de.ts'),
  fr: () => import('./languages/fr.ts'),
  es: () => import('./languages/es.ts'),
  it: () => import('./languages/it.ts'),
} as const satisfies Record<string, () => Promise<LanguageTexts>>;
export type Language = keyof typeof LANGUAGES;

/** A sentence, and the language it is in: what the catalogue does not know is said in English. */
export interface Said {
  readonly text: string;
  readonly language: string;
}

export interface Words {
  readonly language: Language;
  /** @param values what `{name}` stands for; `count` also chooses the form */
  readonly say: (key: TextKey, values?: Readonly<Record<string, string | number>>) => string;
  /** The text of a key made of what somebody else has named; undefined for one that the catalogue does not know. */
  readonly find: (key: string) => string | undefined;
  /** What an error means. */
  readonly meaning: (error: ShownError) => Said;
  /** What to do about it. */
  readonly advice: (error: ShownError) => Said;
  readonly dateTime: (iso: string) => string;
}

/** The first language of the system that there is, or English. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const [language = ''] = tag.toLowerCase().split('-');
    if (Object.hasOwn(LANGUAGES, language)) return language as Language;
  }
  return 'en';
}

export async function loadWords(language: Language): Promise<Words> {
  return wordsOf(language, await LANGUAGES[language]());
}

export function wordsOf(language: Language, { texts, errors }: LanguageTexts): Words {
  const plural = new Intl.PluralRules(language);
  const clock = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
  const known = (code: string): code is ShownCode => Object.hasOwn(ADVICE_OF, code);
  return {
    language,
    say: (key, values = {}) => {
      const text: Text = texts[key];
      const form =
        typeof text === 'string' ? text : plural.select(Number(values['count'])) === 'one' ? text.one : text.other;
      return form.replace(/\{(\w+)\}/gu, (_, name: string) => String(values[name] ?? ''));
    },
    find: (key) => {
      const text = Object.hasOwn(texts, key) ? texts[key as TextKey] : undefined;
      return typeof text === 'string' ? text : undefined;
    },
    meaning: ({ code, message }) =>
      known(code) ? { text: errors.messages[code], language } : { text: message, language: 'en' },
    advice: ({ code, hint }) =>
      known(code) ? { text: errors.advice[ADVICE_OF[code]], language } : { text: hint, language: 'en' },
    dateTime: (iso) => clock.format(new Date(iso)),
  };
}
