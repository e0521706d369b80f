import { describe, expect, it } from 'vitest';

import { en } from '../../../../src/apps/desktop/renderer/texts/en.ts';
import { FILES } from '../../../../src/apps/desktop/main/page-files.ts';
import * as de from '../../../../src/apps/desktop/renderer/texts/languages/de.ts';
import * as english from '../../../../src/apps/desktop/renderer/texts/languages/en.ts';
import * as es from '../../../../src/apps/desktop/renderer/texts/languages/es.ts';
import * as fr from '../../../../src/apps/desktop/renderer/texts/languages/fr.ts';
import * as it_ from '../../../../src/apps/desktop/renderer/texts/languages/it.ts';
import { languageOf, loadWords, wordsOf, type Language } from '../../../../src/apps/desktop/renderer/texts/texts.ts';
import { ERROR_CODES } from '../../../../src/core/error-codes.ts';
import { OPERATOR_CODES } from '../../../../src/core/operator-codes.ts';
import { SLICE_CODES } from '../../../../src/core/slice-codes.ts';
import { stepsIn } from '../../../../src/laptop/pipeline/run-plan.ts';
import { CLAIM_PLAN, ENROLLMENT_PLAN } from '../../../../src/laptop/enrollment/plan.ts';

const CATALOGUES = { en: english, de, fr, es, it: it_ };
const languages = Object.keys(CATALOGUES) as Language[];
const wordsIn = (language: Language) => wordsOf(language, CATALOGUES[language]);
const forms = (text: string | { one: string; other: string }): string[] =>
  typeof text === 'string' ? [text] : [text.one, text.other];
const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/gu)].map(([, name = '']) => name).sort();

describe('the words of the window', () => {
  it.each(languages)('in %s leave nothing open', (language) => {
    for (const [key, text] of Object.entries(CATALOGUES[language].texts)) {
      const [english = ''] = forms(en[key as keyof typeof en]);
      for (const form of forms(text)) {
        expect(form.trim(), key).not.toBe('');
        expect(placeholders(form), key).toEqual(placeholders(english));
      }
    }
  });

  it('have a name for every step of an enrollment, and of a claim', () => {
    for (const { name } of [ENROLLMENT_PLAN, CLAIM_PLAN].flatMap((plan) => stepsIn(plan)))
      expect(Object.keys(en)).toContain(`step.${name}`);
  });

  it('are of the first language of the system that there is', () => {
    expect(languageOf(['pt-BR', 'de-AT', 'en'])).toBe('de');
    expect(languageOf(['FR'])).toBe('fr');
    expect(languageOf(['ja', 'constructor'])).toBe('en');
    expect(languageOf([])).toBe('en');
  });

  it('choose the form by the number, and fill in', () => {
    expect(wordsIn('en').say('touch.left', { count: 1 })).toBe('1 second left');
    expect(wordsIn('de').say('touch.left', { count: 7 })).toBe('noch 7 Sekunden');
    // In French, nothing is one.
    expect(wordsIn('fr').say('touch.left', { count: 0 })).toBe('encore 0 seconde');
    expect(wordsIn('en').say('choose.key', { serial: '{serial}' })).toBe('YubiKey {serial}');
    expect(wordsIn('en').find('step.nothing')).toBeUndefined();
  });

  it.each(languages)('in %s are loaded, and are a file that the page may load', async (language) => {
    expect((await loadWords(language)).say('cancel')).toBe(CATALOGUES[language].texts.cancel);
    expect(FILES[`/texts-${language}.js`]).toMatch(/javascript/u);
  });
});

describe('the errors', () => {
  const ofOperators = Object.keys({ ...SLICE_CODES, ...OPERATOR_CODES });
  const codes = Object.keys(ERROR_CODES).filter((code) => !ofOperators.includes(code));

  it.each(languages)('in %s each have a meaning and an advice, in plain words', (language) => {
    const words = wordsIn(language);
    for (const code of codes) {
      const said = [words.meaning, words.advice].map((of) => of({ code, message: '', hint: '' }));
      for (const { text, language: spoken } of said) {
        expect([spoken, text.trim() === text, text.length > 5], code).toEqual([language, true, true]);
        expect(text, code).toMatch(/[.!?]$/u);
        // A person who has never seen a terminal.
        expect(text, code).not.toMatch(/sudo|`|--|kiwistack-enroll|journalctl|systemctl|\bslice\b/iu);
      }
    }
  });

  it('differ from language to language, and one that is not known is said in English', () => {
    for (const code of codes) {
      const told = languages.map((language) => wordsIn(language).meaning({ code, message: '', hint: '' }).text);
      expect(new Set(told).size, code).toBeGreaterThan(3);
    }
    const unknown = { code: 'slice-damaged', message: 'Its own.', hint: 'Its hint.' };
    expect(wordsIn('de').meaning(unknown)).toEqual({ text: 'Its own.', language: 'en' });
    expect(wordsIn('de').advice({ ...unknown, code: 'constructor' })).toEqual({ text: 'Its hint.', language: 'en' });
  });
});
