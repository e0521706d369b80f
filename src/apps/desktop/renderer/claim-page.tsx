import type { JSX } from 'preact';

import type { Kiwi, ShownClaim, ShownError } from '../view/view.ts';
import { Button, Page, Told } from './parts.tsx';
import { LaptopPicture, ReadyPicture, TroublePicture } from './pictures.tsx';
import type { TextKey } from './texts/catalogue.ts';
import type { Words } from './texts/texts.ts';

/** What a person in front of the laptop can do something about. */
type Way = 'network' | 'portal' | 'proxy' | 'clock' | 'other';

/** By the code, or what it begins with. */
const WAYS: readonly (readonly [string, Way])[] = [
  ['gateway-unreachable', 'network'],
  ['no-network', 'network'],
  ['name-unresolved', 'network'],
  ['endpoint-unresolved', 'network'],
  // What a network answers that wants a sign-in first.
  ['gateway-answer-invalid', 'portal'],
  ['gateway-tls-dates', 'clock'],
  ['gateway-tls', 'portal'],
  ['udp-blocked', 'portal'],
  ['tunnel-no-handshake', 'portal'],
  ['proxy-', 'proxy'],
  ['clock-', 'clock'],
];

const ADVICE: Readonly<Record<Way, readonly TextKey[]>> = {
  network: ['claim.do.cable', 'claim.do.wifi'],
  portal: ['claim.do.other', 'claim.do.portal'],
  proxy: ['claim.do.other', 'claim.do.proxy'],
  clock: ['claim.do.clock', 'claim.do.firmware'],
  other: ['claim.do.wait', 'claim.do.tell'],
};

const wayOf = ({ code }: ShownError): Way => WAYS.find(([start]) => code.startsWith(start))?.[1] ?? 'other';

/** The first start of a laptop from an OEM: what goes on, and what whoever is in front of it can do. Nobody is logged in. */
export function ClaimPage({
  words,
  kiwi,
  claim,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly claim: ShownClaim;
}): JSX.Element {
  const { say } = words;
  return (
    <Page title={say(titleOf(claim))} picture={pictureOf(claim)} place="claim">
      <div role="status" aria-live="polite">
        <WhatGoesOn words={words} claim={claim} />
      </div>
      <WhatToDo words={words} claim={claim} />
      <p class="cancel">
        <Button onClick={kiwi.toLogin} describedBy="login-hint">
          {say('claim.login')}
        </Button>{' '}
        <span id="login-hint" class="quiet">
          {claim.state === 'refused' || claim.state === 'claimed' ? '' : say('claim.login.hint')}
        </span>
      </p>
    </Page>
  );
}

function titleOf(claim: ShownClaim): TextKey {
  switch (claim.state) {
    case 'working':
      return 'claim.title';
    case 'waits':
      return claim.code === undefined ? 'claim.title' : 'claim.waits.title';
    case 'retries':
      return `claim.${wayOf(claim.error)}.title`;
    case 'refused':
      return 'claim.refused.title';
    case 'claimed':
      return 'done.title';
  }
}

function pictureOf({ state }: ShownClaim): JSX.Element {
  if (state === 'claimed') return <ReadyPicture />;
  return state === 'retries' || state === 'refused' ? <TroublePicture /> : <LaptopPicture />;
}

/** Read out when it changes. */
function WhatGoesOn({ words, claim }: { readonly words: Words; readonly claim: ShownClaim }): JSX.Element {
  const { say } = words;
  switch (claim.state) {
    case 'working': {
      const { customer, step } = claim;
      return (
        <>
          <p class="lead">{customer === undefined ? say('claim.text.begun') : say('claim.text', { customer })}</p>
          {step === undefined ? null : <p class="quiet">{words.find(`step.${step.step}`)}</p>}
        </>
      );
    }
    case 'waits': {
      const { customer, code } = claim;
      if (code === undefined) return <p class="lead">{say('claim.waits.slice', { customer })}</p>;
      return (
        <>
          <p class="lead">{say('claim.waits.text', { customer })}</p>
          <p class="digits">{`${code.slice(0, 3)} ${code.slice(3)}`}</p>
        </>
      );
    }
    case 'retries': {
      const { error, againInMinutes } = claim;
      return (
        <>
          <Told said={words.meaning(error)} />
          <p class="quiet">
            {againInMinutes === undefined ? say('claim.again') : say('claim.again.minutes', { count: againInMinutes })}
          </p>
        </>
      );
    }
    case 'refused':
      return <Told said={words.meaning(claim.error)} />;
    case 'claimed':
      return <p class="lead">{say('claim.done.text', { customer: claim.customer })}</p>;
  }
}

function WhatToDo({ words, claim }: { readonly words: Words; readonly claim: ShownClaim }): JSX.Element | null {
  const { say } = words;
  if (claim.state !== 'retries' && claim.state !== 'refused') return null;
  const todo: readonly TextKey[] =
    claim.state === 'retries' ? ADVICE[wayOf(claim.error)] : ['claim.refused.tell', 'claim.refused.again'];
  return (
    <section>
      <h2>{say('failed.what')}</h2>
      <ul>
        {todo.map((key) => (
          <li key={key}>{say(key)}</li>
        ))}
      </ul>
      {claim.state === 'refused' || wayOf(claim.error) === 'other' ? (
        <p class="quiet">{say('claim.code', { code: claim.error.code })}</p>
      ) : null}
    </section>
  );
}
