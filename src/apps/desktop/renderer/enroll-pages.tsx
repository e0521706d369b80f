import type { JSX } from 'preact';

import type { Kiwi, ShownError, View } from '../view/view.ts';
import { ClaimPage } from './claim-page.tsx';
import { FailedPage } from './failed-page.tsx';
import { Announced, Bullets, Button, CancelButton, Links, Page, Steps } from './parts.tsx';
import { LaptopPicture, PlugPicture, ReadyPicture, TroublePicture } from './pictures.tsx';
import { PinPage } from './pin-page.tsx';
import { ReportPage } from './report-page.tsx';
import type { Words } from './texts/texts.ts';
import { TouchPage } from './touch-page.tsx';
import { TunnelAppPage } from './tunnel-app-page.tsx';

/** One page of the enrollment, of its end, or of its undoing. */
export function EnrollPage({
  words,
  kiwi,
  view,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly view: Exclude<View, { page: 'status' }>;
}): JSX.Element {
  const { say } = words;
  switch (view.page) {
    case 'looking':
      return (
        <Page title={say('title')} picture={<LaptopPicture />}>
          <Announced>{say('looking')}</Announced>
        </Page>
      );
    case 'welcome':
      return <Welcome words={words} kiwi={kiwi} resumable={view.resumable} />;
    case 'key':
      return (
        <Page title={say('key.title')} picture={<PlugPicture />}>
          <Announced>{whyNoKey(words, view.why)}</Announced>
          <CancelButton words={words} onClick={kiwi.cancel} />
        </Page>
      );
    case 'choose-key':
      return (
        <Page title={say('choose.title')} picture={<PlugPicture />}>
          <p>{say('choose.text')}</p>
          <ul class="choices">
            {view.keys.map(({ serial, role = '', customer = '' }) => (
              <li key={serial}>
                <Button
                  onClick={() => {
                    kiwi.chooseKey(serial);
                  }}
                >
                  {say('choose.key', { serial })}
                  <span class="quiet">{say('choose.of', { role, customer })}</span>
                </Button>
              </li>
            ))}
          </ul>
          <CancelButton words={words} onClick={kiwi.cancel} />
        </Page>
      );
    case 'pin':
      return <PinPage words={words} kiwi={kiwi} view={view} />;
    case 'touch':
      return <TouchPage words={words} kiwi={kiwi} view={view} />;
    case 'tunnel-app':
      return <TunnelAppPage words={words} kiwi={kiwi} view={view} />;
    case 'progress':
      return (
        <Page title={say('progress.title')}>
          <Announced>{view.waitsFor === undefined ? say('progress.text') : waitsFor(words, view.waitsFor)}</Announced>
          <Steps words={words} steps={view.steps} />
          <CancelButton words={words} onClick={kiwi.cancel} />
        </Page>
      );
    case 'undoing':
      return (
        <Page title={say('undoing.title')}>
          <Announced>{say('undoing.text')}</Announced>
          <Steps words={words} steps={view.steps} />
        </Page>
      );
    case 'done':
      return (
        <Page title={say('done.title')} picture={<ReadyPicture />}>
          <Announced>{say('done.text', { host: view.hostName, customer: view.customer })}</Announced>
          <p>{say('done.works')}</p>
          <Links words={words} kiwi={kiwi} links={view.links} />
          <Button kind="main" onClick={kiwi.refresh}>
            {say('done.status')}
          </Button>
        </Page>
      );
    case 'repairing':
      return (
        <Page title={say('repair.title')}>
          <Announced>{say('repair.text')}</Announced>
          <Steps words={words} steps={view.steps} />
        </Page>
      );
    case 'report':
      return <ReportPage words={words} kiwi={kiwi} view={view} />;
    case 'failed':
      return <FailedPage words={words} kiwi={kiwi} view={view} />;
    case 'claim':
      return <ClaimPage words={words} kiwi={kiwi} claim={view.claim} />;
    case 'left':
      return (
        <Page title={say('left.title')} picture={<LaptopPicture />}>
          <Announced>{say('left.text')}</Announced>
          <p>{say(view.told ? 'left.told' : 'left.untold')}</p>
          <Button onClick={kiwi.refresh}>{say('left.again')}</Button>
        </Page>
      );
    case 'unavailable':
      return (
        <Page title={say('unavailable.title')} picture={<TroublePicture />}>
          <Announced>
            {say(view.error.code === 'agent-untrusted' ? 'unavailable.untrusted' : 'unavailable.text')}
          </Announced>
          <Button kind="main" onClick={kiwi.refresh}>
            {say('failed.again')}
          </Button>
        </Page>
      );
  }
}

function Welcome({
  words,
  kiwi,
  resumable,
}: {
  readonly words: Words;
  readonly kiwi: Kiwi;
  readonly resumable: boolean;
}): JSX.Element {
  const { say } = words;
  return (
    <Page title={say('welcome.title')} picture={<LaptopPicture />}>
      <p class="lead">{say(resumable ? 'welcome.resume.text' : 'welcome.text')}</p>
      <Button kind="main" onClick={kiwi.enroll}>
        {say(resumable ? 'welcome.resume' : 'welcome.begin')}
      </Button>
      <div class="two">
        <Bullets
          words={words}
          title="welcome.changes"
          keys={['welcome.change.certificate', 'welcome.change.tunnel', 'welcome.change.management']}
        />
        <Bullets
          words={words}
          title="welcome.stays"
          keys={['welcome.stay.files', 'welcome.stay.network', 'welcome.stay.leave']}
        />
      </div>
    </Page>
  );
}

/** That no key is there is what the page is about; anything else is said. */
function whyNoKey(words: Words, why: ShownError): string {
  return why.code === 'key-absent' ? words.say('key.text') : (words.find(`key.${why.code}`) ?? words.meaning(why).text);
}

/** A code says what is in the way; anything else is what is waited for. */
function waitsFor(words: Words, what: string): string {
  const { text } = words.meaning({ code: what, message: words.say('progress.waits', { what }), hint: '' });
  return text;
}
