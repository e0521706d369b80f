import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { pinFault } from '../../../core/pin-fault.ts';
import type { Kiwi, View } from '../view/view.ts';
import { CancelButton, Page } from './parts.tsx';
import { PinPicture } from './pictures.tsx';
import type { Words } from './texts/texts.ts';

/** What a YubiKey types when it is touched by accident: 44 letters of its own alphabet, modhex. */
const ONE_TIME_PASSWORD = /^[cbdefghijklnrtuv]{32,64}$/u;

/** Asks for the PIN, after it has said for whom. The field is emptied before anything else happens with what was in it. */
export function PinPage({
  words,
  kiwi,
  view,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Extract<View, { page: 'pin' }>;
}): JSX.Element {
  const { say, find, meaning } = words;
  const { slice, serial, tries, refused } = view;
  const field = useRef<HTMLInputElement>(null);
  const [shown, setShown] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const [lastTry, setLastTry] = useState(false);

  useEffect(() => {
    if (refused !== undefined) setWrong(find(`pin.${refused.code}`) ?? meaning(refused).text);
  }, [refused, find, meaning]);

  const asked = tries !== 'final' || lastTry;
  const enter = (event: Event): void => {
    event.preventDefault();
    const input = field.current;
    if (input === null) return;
    const typed = input.value;
    input.value = '';
    if (ONE_TIME_PASSWORD.test(typed)) setWrong(say('pin.otp'));
    else if (pinFault(new TextEncoder().encode(typed)) !== undefined) setWrong(say('pin.pin-malformed'));
    else {
      setWrong(undefined);
      kiwi.enterPin(typed);
      return;
    }
    input.focus();
  };

  return (
    <Page title={say('pin.title')} picture={<PinPicture />}>
      <dl class="facts">
        <dt>{say('pin.for')}</dt>
        <dd class="customer">{slice.customer}</dd>
        <dt>{say('pin.code')}</dt>
        <dd>
          <span class="code">{`${slice.code.slice(0, 3)} ${slice.code.slice(3)}`}</span>{' '}
          <span class="quiet">{say('pin.code.why')}</span>
        </dd>
      </dl>
      {tries === 'ok' || tries === 'locked' ? null : <p class="warning">{say(`pin.tries.${tries}`)}</p>}
      {asked ? (
        <form onSubmit={enter} autocomplete="off">
          <label for="pin">{say('pin.label', { serial })}</label>
          <input
            id="pin"
            ref={field}
            {...({ type: shown ? 'text' : 'password' } as { type: 'password' })}
            maxLength={64}
            spellcheck={false}
            autocomplete="off"
            aria-invalid={wrong !== undefined}
            aria-describedby="pin-wrong"
            onPaste={(event) => {
              // A one-time password is typed; what is pasted comes from a note that should not be.
              event.preventDefault();
            }}
          />
          <p id="pin-wrong" role="alert" class="wrong">
            {wrong}
          </p>
          <label class="check">
            <input
              type="checkbox"
              checked={shown}
              onChange={(event) => {
                setShown(event.currentTarget.checked);
              }}
            />{' '}
            {say('pin.show')}
          </label>
          <button type="submit" class="button main">
            {say('pin.next')}
          </button>
        </form>
      ) : (
        <button
          type="button"
          class="button grave"
          onClick={() => {
            setLastTry(true);
          }}
        >
          {say('pin.last')}
        </button>
      )}
      <CancelButton words={words} onClick={kiwi.cancel} />
    </Page>
  );
}
