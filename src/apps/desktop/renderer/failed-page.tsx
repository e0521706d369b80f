import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import type { Kiwi, View } from '../view/view.ts';
import { Announced, Button, detailsOf, Page, Steps } from './parts.tsx';
import { LaptopPicture, TroublePicture } from './pictures.tsx';
import type { Words } from './texts/texts.ts';

/** What went wrong, what became of what had been changed, and what to do. */
export function FailedPage({
  words,
  kiwi,
  view,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Extract<View, { page: 'failed' }>;
}): JSX.Element {
  const { say } = words;
  const { error, steps, undone } = view;
  const [copied, setCopied] = useState(false);
  const cancelled = error.code === 'cancelled';
  const details = detailsOf(error);
  return (
    <Page
      title={say(cancelled ? 'failed.cancelled' : 'failed.title')}
      picture={cancelled ? <LaptopPicture /> : <TroublePicture />}
    >
      {cancelled ? null : <Told words={words} code={error.code} part="message" english={error.message} />}
      <Announced>{say(`failed.undone.${undone}`)}</Announced>
      {cancelled ? null : (
        <>
          <h2>{say('failed.what')}</h2>
          <Told words={words} code={error.code} part="hint" english={error.hint} />
        </>
      )}
      <Button kind="main" onClick={kiwi.refresh}>
        {say('failed.again')}
      </Button>
      {steps.length === 0 ? null : <Steps words={words} steps={steps} />}
      <details>
        <summary>{say('failed.details')}</summary>
        <pre lang="en" tabIndex={0}>
          {details}
        </pre>
        <Button
          onClick={() => {
            kiwi.copy(details);
            setCopied(true);
          }}
        >
          {say('failed.copy')}
        </Button>
        <Announced>{copied ? say('failed.copied') : ''}</Announced>
      </details>
    </Page>
  );
}

/** In the person's language if it is known, else in English, and marked so: a screen reader changes its voice. */
function Told(about: {
  readonly words: Words;
  readonly code: string;
  readonly part: 'message' | 'hint';
  readonly english: string;
}): JSX.Element {
  const { words, code, part, english } = about;
  const known = words.find(`error.${code}.${part}`);
  return known === undefined ? <p lang="en">{english}</p> : <p>{known}</p>;
}
