import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import type { Kiwi, ShownError, ShownLink, ShownStep } from '../view/view.ts';
import type { TextKey } from './texts/catalogue.ts';
import type { Said, Words } from './texts/texts.ts';

/**
 * Heading and text of a page. The heading takes the focus when the page comes, so that a screen reader begins there; with the page, not
 * after its paint, or a Tab that was pressed in between would be undone, and what is typed next would go nowhere.
 * @param place of a page that stays while its title changes: the focus stays where the person has put it
 */
export function Page({
  title,
  picture,
  place,
  children,
}: {
  readonly title: string;
  readonly picture?: JSX.Element;
  readonly place?: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    heading.current?.focus();
  }, [place ?? title]);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <main class={place === undefined ? 'page' : `page ${place}`}>
      {picture}
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}

export function Button({
  children,
  onClick,
  kind = 'plain',
  describedBy,
}: {
  readonly children: ComponentChildren;
  readonly onClick: () => void;
  readonly kind?: 'main' | 'plain' | 'grave';
  readonly describedBy?: string;
}): JSX.Element {
  return (
    <button type="button" class={`button ${kind}`} onClick={onClick} aria-describedby={describedBy}>
      {children}
    </button>
  );
}

export function CancelButton({ words, onClick }: { readonly words: Words; readonly onClick: () => void }): JSX.Element {
  return (
    <p class="cancel">
      <Button onClick={onClick} describedBy="cancel-hint">
        {words.say('cancel')}
      </Button>{' '}
      <span id="cancel-hint" class="quiet">
        {words.say('cancel.hint')}
      </span>
    </p>
  );
}

/** Where the customer's people go. The host is said, because the browser opens it. */
export function Links({
  words,
  kiwi,
  links,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly links: readonly ShownLink[];
}): JSX.Element | null {
  if (links.length === 0) return null;
  return (
    <section>
      <h2>{words.say('links.title')}</h2>
      <ul class="choices">
        {links.map(({ title, url }, place) => (
          <li key={url}>
            <Button
              onClick={() => {
                kiwi.openLink(place);
              }}
            >
              {title}
              <span class="quiet">{words.say('links.opens', { host: new URL(url).host })}</span>
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const MARK = { running: '◌', done: '✓', failed: '✗', undone: '↶', stuck: '!' } as const;

/** Its state is said in words too: neither colour nor sign alone conveys it. */
export function Steps({ words, steps }: { readonly words: Words; readonly steps: readonly ShownStep[] }): JSX.Element {
  return (
    <ol class="steps">
      {steps.map(({ step, title, state }) => (
        <li key={step} class={state}>
          <span class="mark" aria-hidden="true">
            {MARK[state]}
          </span>
          <StepName known={words.find(`step.${step}`)} english={title} />
          <span class="state">{words.say(`state.${state}`)}</span>
        </li>
      ))}
    </ol>
  );
}

function StepName({ known, english }: { readonly known: string | undefined; readonly english: string }): JSX.Element {
  return known === undefined ? <span lang="en">{english}</span> : <span>{known}</span>;
}

/** Read out when it changes. */
export function Announced({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <p role="status" aria-live="polite" class="announced">
      {children}
    </p>
  );
}

export function Bullets({
  words,
  title,
  keys,
}: {
  readonly words: Words;
  readonly title: TextKey;
  readonly keys: readonly TextKey[];
}): JSX.Element {
  return (
    <section>
      <h2>{words.say(title)}</h2>
      <ul>
        {keys.map((key) => (
          <li key={key}>{words.say(key)}</li>
        ))}
      </ul>
    </section>
  );
}

/** In the person's language if it is known, else in English, and marked so: a screen reader changes its voice. */
export function Told({ said }: { readonly said: Said }): JSX.Element {
  return <p lang={said.language}>{said.text}</p>;
}

/** What an operator needs to be told: to read, and to copy. */
export function Details({
  words,
  kiwi,
  errors,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly errors: readonly ShownError[];
}): JSX.Element {
  const [copied, setCopied] = useState(false);
  const details = errors.map(detailsOf).join('\n\n');
  return (
    <details>
      <summary>{words.say('failed.details')}</summary>
      <pre lang="en" tabIndex={0}>
        {details}
      </pre>
      <Button
        onClick={() => {
          kiwi.copy(details);
          setCopied(true);
        }}
      >
        {words.say('failed.copy')}
      </Button>
      <Announced>{copied ? words.say('failed.copied') : ''}</Announced>
    </details>
  );
}

function detailsOf({ code, message, detail, requestId }: ShownError): string {
  return [
    `[${code}] ${message}`,
    ...(detail === undefined ? [] : [detail]),
    ...(requestId === undefined ? [] : [`request ${requestId}`]),
  ].join('\n');
}
