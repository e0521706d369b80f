import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Kiwi, View } from '../view/view.ts';
import { CancelButton, Page } from './parts.tsx';
import { TouchPicture } from './pictures.tsx';
import type { Words } from './texts/texts.ts';

/** A screen reader is told the seconds at these only: one that counts aloud says nothing else any more. */
const ANNOUNCED = [15, 10, 5];

/** Asks for the touch, and counts the seconds that are left for it. */
export function TouchPage({
  words,
  kiwi,
  view,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Extract<View, { page: 'touch' }>;
}): JSX.Element {
  const left = (): number => Math.max(0, Math.ceil((view.endsAt - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const timer = setInterval(() => {
      setSeconds(left());
    }, 250);
    return () => {
      clearInterval(timer);
    };
  }, [view.endsAt]);
  const text = seconds > 0 ? words.say('touch.left', { count: seconds }) : words.say('touch.late');
  return (
    <Page title={words.say('touch.title')} picture={<TouchPicture />}>
      <p class="lead" role="status" aria-live="assertive">
        {words.say('touch.text')}
      </p>
      <p class="seconds" aria-hidden="true">
        {text}
      </p>
      <p class="only-read" role="timer" aria-live="polite">
        {ANNOUNCED.includes(seconds) || seconds === 0 ? text : ''}
      </p>
      <CancelButton words={words} onClick={kiwi.cancel} />
    </Page>
  );
}
