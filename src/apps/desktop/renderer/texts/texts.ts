import type { Catalogue, Text, TextKey } from './catalogue.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import { it } from './it.ts';

export const CATALOGUES = { en, de, fr, es, it } as const satisfies Record<string, Catalogue>;
export type Language = keyof typeof CATALOGUES;

export interface Words {
  readonly language: Language;
  /** @param values what `{name}` stands for; `count` also chooses the form */
  readonly say: (key: TextKey, values?: Readonly<Record<string, string | number>>) => string;
  /** The text of a key made of what somebody else has named; undefined for one that the catalogue does not know. */
  readonly find: (key: string) => string | undefined;
  readonly dateTime: (iso: string) => string;
}

/** The first language of the system that there is, or English. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const [language = ''] = tag.toLowerCase().split('-');
    if (Object.hasOwn(CATALOGUES, language)) return language as Language;
  }
  return 'en';
}

export function wordsIn(language: Language): Words {
  const catalogue: Catalogue = CATALOGUES[language];
  const plural = new Intl.PluralRules(language);
  const clock = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
  return {
    language,
    say: (key, values = {}) => {
      const text: Text = catalogue[key];
      const form =
        typeof text === 'string' ? text : plural.select(Number(values['count'])) === 'one' ? text.one : text.other;
      return form.replace(/\{(\w+)\}/gu, (_, name: string) => String(values[name] ?? ''));
    },
    find: (key) => {
      const text = (catalogue as Readonly<Record<string, Text>>)[key];
      return typeof text === 'string' ? text : undefined;
    },
    dateTime: (iso) => clock.format(new Date(iso)),
  };
}
