import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import type { Kiwi, Notice, ShownCheck, ShownError, ShownStatus } from '../view/view.ts';
import { Announced, Button, Details, Links, Page, Told } from './parts.tsx';
import { ReadyPicture, TroublePicture } from './pictures.tsx';
import { AskForTunnelApp } from './tunnel-app-page.tsx';
import type { Words } from './texts/texts.ts';

/** How this laptop stands with its organisation. */
export function StatusPage({
  words,
  kiwi,
  status,
  notice,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly status: ShownStatus;
  readonly notice?: Notice;
}): JSX.Element {
  const { say } = words;
  const { customer, hostName, healthy, certificateUntil, renewal, tunnel, keeper, fleet, checks, links } = status;
  const [asks, setAsks] = useState<'leave' | 'app'>();
  const dontAsk = (): void => {
    setAsks(undefined);
  };
  if (asks === 'app') return <AskForTunnelApp words={words} kiwi={kiwi} onNo={dontAsk} />;
  if (asks === 'leave') {
    return (
      <Page title={say('leave.title', { customer })} picture={<TroublePicture />}>
        <p>{say('leave.text')}</p>
        <p class="row">
          <Button kind="grave" onClick={kiwi.leave}>
            {say('leave.yes')}
          </Button>
          <Button onClick={dontAsk}>{say('leave.no')}</Button>
        </p>
      </Page>
    );
  }
  const repairable = checks.some((check) => check.repairable && check.state === 'not-well');
  const faults = checks.filter(({ state }) => state === 'not-well').map(faultOf);
  const certificate =
    certificateUntil === undefined
      ? say('status.certificate.none')
      : say('status.certificate.until', { date: words.dateTime(certificateUntil) });
  return (
    <Page
      title={say(healthy ? 'status.title.well' : 'status.title.ill')}
      picture={healthy ? <ReadyPicture /> : <TroublePicture />}
    >
      <Announced>
        {notice === undefined ? say('status.at', { host: hostName, customer }) : noticeText(words, notice)}
      </Announced>
      <dl class="facts">
        <dt>{say('status.tunnel')}</dt>
        <dd>{say(`status.tunnel.${tunnel}`)}</dd>
        {keeper === undefined ? null : (
          <>
            <dt>{say('status.keeper')}</dt>
            <dd>{say(`status.keeper.${keeper}`)}</dd>
          </>
        )}
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
      <p class="row">
        {repairable ? (
          <Button kind="main" onClick={kiwi.repair}>
            {say('status.fix')}
          </Button>
        ) : null}
        <Button kind={repairable ? 'plain' : 'main'} onClick={kiwi.refresh}>
          {say('status.refresh')}
        </Button>
        <Button onClick={kiwi.renew}>{say('status.renew')}</Button>
      </p>
      <Links words={words} kiwi={kiwi} links={links} />
      {checks.length === 0 ? null : <Checks words={words} checks={checks} />}
      {faults.length === 0 ? null : <Details words={words} kiwi={kiwi} errors={faults} />}
      <h2>{say('status.more')}</h2>
      <p class="row">
        <Button onClick={kiwi.report}>{say('status.report')}</Button>
        {keeper === 'daemon' ? (
          <Button
            onClick={() => {
              setAsks('app');
            }}
          >
            {say('status.app')}
          </Button>
        ) : null}
        {keeper === 'app' ? <Button onClick={kiwi.tunnelByDaemon}>{say('status.daemon')}</Button> : null}
        <Button
          onClick={() => {
            setAsks('leave');
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
        {checks.map(({ code, state, what, saw, error }) =>
          state === 'well' ? null : (
            <li key={code} class={state}>
              <strong>{words.say(`status.check.${state}`)}</strong>{' '}
              {error === undefined ? null : (
                <>
                  <Told said={words.meaning(error)} />
                  <Told said={words.advice(error)} />
                </>
              )}
              <span lang="en" class="quiet">
                {what}: {saw}
              </span>
            </li>
          ),
        )}
      </ul>
    </section>
  );
}

function noticeText({ say }: Words, notice: Notice): string {
  if (notice.what === 'sent') return say('report.sent', { customer: notice.customer });
  if (notice.what === 'kept') return say(`app.done.${notice.by}`);
  if (notice.what === 'saved') return say('report.saved', { file: notice.file });
  return notice.count === 0 ? say('repair.none') : say('repair.done', { count: notice.count });
}

/** For the operator: the error of a check, or what it saw. */
function faultOf({ code, what, saw, error }: ShownCheck): ShownError {
  return error === undefined
    ? { code, message: `${what}: ${saw}`, hint: '' }
    : { ...error, detail: [`check ${code}: ${saw}`, ...(error.detail === undefined ? [] : [error.detail])].join('\n') };
}
