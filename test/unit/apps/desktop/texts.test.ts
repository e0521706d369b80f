import { describe, expect, it } from 'vitest';

import { en } from '../../../../src/apps/desktop/renderer/texts/en.ts';
import { CATALOGUES, languageOf, wordsIn, type Language } from '../../../../src/apps/desktop/renderer/texts/texts.ts';
import { stepsIn } from '../../../../src/laptop/pipeline/run-plan.ts';
import { ENROLLMENT_PLAN } from '../../../../src/laptop/enrollment/plan.ts';

const languages = Object.keys(CATALOGUES) as Language[];
const forms = (text: string | { one: string; other: string }): string[] =>
  typeof text === 'string' ? [text] : [text.one, text.other];
const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/gu)].map(([, name = '']) => name).sort();

describe('the words of the window', () => {
  it.each(languages)('in %s leave nothing open', (language) => {
    for (const [key, text] of Object.entries(CATALOGUES[language])) {
      const [english = ''] = forms(en[key as keyof typeof en]);
      for (const form of forms(text)) {
        expect(form.trim(), key).not.toBe('');
        expect(placeholders(form), key).toEqual(placeholders(english));
      }
    }
  });

  it('have a name for every step of an enrollment', () => {
    for (const { name } of stepsIn(ENROLLMENT_PLAN)) expect(Object.keys(en)).toContain(`step.${name}`);
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
});
