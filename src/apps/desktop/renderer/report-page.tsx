import type { JSX } from 'preact';

import type { Kiwi, View } from '../view/view.ts';
import { Announced, Button, Page } from './parts.tsx';
import type { Words } from './texts/texts.ts';

/** A report for the operator: all of it, before it leaves this laptop. */
export function ReportPage({
  words,
  kiwi,
  view,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Extract<View, { page: 'report' }>;
}): JSX.Element {
  const { say } = words;
  const { customer, files } = view;
  return (
    <Page title={say('report.title')}>
      <Announced>{say(files === undefined ? 'report.making' : 'report.text')}</Announced>
      {files === undefined ? null : (
        <>
          {files.map(({ name, why, text }) => (
            <details key={name}>
              <summary>
                {name}{' '}
                <span class="quiet" lang="en">
                  {why}
                </span>
              </summary>
              <pre lang="en" tabIndex={0}>
                {text}
              </pre>
            </details>
          ))}
          <p class="row">
            <Button kind="main" onClick={kiwi.sendReport}>
              {say('report.send', { customer })}
            </Button>
            <Button onClick={kiwi.saveReport}>{say('report.save')}</Button>
          </p>
        </>
      )}
      <p class="row">
        <Button onClick={kiwi.cancel}>{say('report.back')}</Button>
      </p>
    </Page>
  );
}
