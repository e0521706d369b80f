import { render, type JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Kiwi, View } from '../view/view.ts';
import { EnrollPage } from './enroll-pages.tsx';
import { StatusPage } from './status-page.tsx';
import { languageOf, loadWords } from './texts/texts.ts';

declare global {
  interface Window {
    readonly kiwi: Kiwi;
  }
}

const { kiwi } = window;
const words = await loadWords(languageOf(kiwi.languages));
document.documentElement.lang = words.language;

function App(): JSX.Element {
  const [view, setView] = useState<View>({ page: 'looking' });
  useEffect(() => {
    kiwi.onView(setView);
  }, []);
  return view.page === 'status' ? (
    <StatusPage words={words} kiwi={kiwi} status={view.status} {...(view.notice && { notice: view.notice })} />
  ) : (
    <EnrollPage words={words} kiwi={kiwi} view={view} />
  );
}

const place = document.getElementById('window');
if (place !== null) render(<App />, place);
