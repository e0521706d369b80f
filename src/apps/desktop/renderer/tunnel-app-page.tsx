import type { JSX } from 'preact';

import type { Kiwi, View } from '../view/view.ts';
import { Announced, Button, CancelButton, Page } from './parts.tsx';
import { PlugPicture } from './pictures.tsx';
import type { TextKey } from './texts/catalogue.ts';
import type { Words } from './texts/texts.ts';

type Waits = NonNullable<Extract<View, { page: 'tunnel-app' }>['waitsFor']>;

const SAYS: Readonly<Record<Waits, TextKey>> = {
  app: 'app.install',
  approval: 'app.approve',
  'hand-over': 'app.changes',
};
/** What only the person can do, in its order. */
const TO_DO: Readonly<Record<Waits, readonly TextKey[]>> = {
  app: ['app.install.1', 'app.install.2'],
  approval: ['app.approve.1', 'app.approve.2', 'app.approve.3'],
  'hand-over': [],
};

/** The WireGuard app takes over the connection: what the person does for it, and that it is noticed. */
export function TunnelAppPage({
  words,
  kiwi,
  view: { waitsFor },
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Extract<View, { page: 'tunnel-app' }>;
}): JSX.Element {
  const { say } = words;
  const toDo = waitsFor === undefined ? [] : TO_DO[waitsFor];
  return (
    <Page title={say('app.title')} picture={<PlugPicture />}>
      <Announced>{say(waitsFor === undefined ? 'looking' : SAYS[waitsFor])}</Announced>
      {toDo.length === 0 ? null : (
        <>
          <ol>
            {toDo.map((key) => (
              <li key={key}>{say(key)}</li>
            ))}
          </ol>
          <p class="quiet">{say('app.noticed')}</p>
        </>
      )}
      <CancelButton words={words} onClick={kiwi.cancel} />
    </Page>
  );
}

/** Before anything is changed. */
export function AskForTunnelApp({
  words,
  kiwi,
  onNo,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly onNo: () => void;
}): JSX.Element {
  const { say } = words;
  return (
    <Page title={say('app.ask.title')} picture={<PlugPicture />}>
      <p>{say('app.ask.text')}</p>
      <p class="row">
        <Button kind="main" onClick={kiwi.tunnelByApp}>
          {say('app.ask.yes')}
        </Button>
        <Button onClick={onNo}>{say('app.ask.no')}</Button>
      </p>
    </Page>
  );
}
