import type { JSX } from 'preact';

import type { Kiwi, View } from '../view/view.ts';
import { Announced, Button, Details, Page, Steps, Told } from './parts.tsx';
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
  const cancelled = error.code === 'cancelled';
  return (
    <Page
      title={say(cancelled ? 'failed.cancelled' : 'failed.title')}
      picture={cancelled ? <LaptopPicture /> : <TroublePicture />}
    >
      {cancelled ? null : <Told said={words.meaning(error)} />}
      {undone === 'nothing' ? null : <Announced>{say(`failed.undone.${undone}`)}</Announced>}
      {cancelled ? null : (
        <>
          <h2>{say('failed.what')}</h2>
          <Told said={words.advice(error)} />
        </>
      )}
      <Button kind="main" onClick={kiwi.refresh}>
        {say('failed.again')}
      </Button>
      {steps.length === 0 ? null : <Steps words={words} steps={steps} />}
      <Details words={words} kiwi={kiwi} errors={[error]} />
    </Page>
  );
}
