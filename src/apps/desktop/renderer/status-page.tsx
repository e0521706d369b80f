import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import type { Kiwi, ShownCheck, ShownStatus } from '../view/view.ts';
import { Announced, Button, Page } from './parts.tsx';
import { ReadyPicture, TroublePicture } from './pictures.tsx';
import type { Words } from './texts/texts.ts';

/** How this laptop stands with its organisation. */
export function StatusPage({
  words,
  kiwi,
  status,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly status: ShownStatus;
}): JSX.Element {
  const { say } = words;
  const { customer, hostName, healthy, certificateUntil, renewal, tunnel, fleet, checks } = status;
  const [leaving, setLeaving] = useState(false);
  if (leaving) {
    return (
      <Page title={say('leave.title', { customer })} picture={<TroublePicture />}>
        <p>{say('leave.text')}</p>
        <p class="row">
          <Button kind="grave" onClick={kiwi.leave}>
            {say('leave.yes')}
          </Button>
          <Button
            onClick={() => {
              setLeaving(false);
            }}
          >
            {say('leave.no')}
          </Button>
        </p>
      </Page>
    );
  }
  const certificate =
    certificateUntil === undefined
      ? say('status.certificate.none')
      : say('status.certificate.until', { date: words.dateTime(certificateUntil) });
  return (
    <Page
      title={say(healthy ? 'status.title.well' : 'status.title.ill')}
      picture={healthy ? <ReadyPicture /> : <TroublePicture />}
    >
      <Announced>{say('status.at', { host: hostName, customer })}</Announced>
      <dl class="facts">
        <dt>{say('status.tunnel')}</dt>
        <dd>{say(`status.tunnel.${tunnel}`)}</dd>
        <dt>{say('status.certificate')}</dt>
        <dd>{certificate}</dd>
        {renewal === undefined ? null : (
          <>
            <dt>{say('status.renewal')}</dt>
            <dd>{words.dateTime(renewal)}</dd>
          </>
        )}
        <dt>{say('status.fleet')}</dt>
        <dd>{say(`status.fleet.${fleet}`)}</dd>
      </dl>
      {checks.length === 0 ? null : <Checks words={words} checks={checks} />}
      <p class="row">
        <Button kind="main" onClick={kiwi.refresh}>
          {say('status.refresh')}
        </Button>
        <Button onClick={kiwi.renew}>{say('status.renew')}</Button>
        <Button
          onClick={() => {
            setLeaving(true);
          }}
        >
          {say('status.leave', { customer })}
        </Button>
      </p>
    </Page>
  );
}

function Checks({ words, checks }: { readonly words: Words; readonly checks: readonly ShownCheck[] }): JSX.Element {
  const well = checks.filter(({ state }) => state === 'well').length;
  return (
    <section>
      <h2>{words.say('status.checks')}</h2>
      <p>{words.say('status.checks.well', { count: well })}</p>
      <ul class="checks">
        {checks.map(({ code, state, what, saw }) =>
          state === 'well' ? null : (
            <li key={code} class={state}>
              <strong>{words.say(`status.check.${state}`)}</strong>{' '}
              <span lang="en">
                {what}: {saw}
              </span>
            </li>
          ),
        )}
      </ul>
    </section>
  );
}
