import { escapeHtml } from '../../core/escape-html.ts';
import { SYSTEMS, type ShelfEntry, type System } from './package-shelf.ts';
import { STEP_PICTURES } from './pictures.ts';
import { LANGUAGE_NAMES, TEXTS, type Language, type Texts } from './texts.ts';

/** What the page may do: nothing but be shown, with the stylesheet and pictures of this host. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface Visit {
  readonly customer: string;
  readonly packages: readonly ShelfEntry[];
  readonly language: Language;
  /** Shown first. */
  readonly system: System | undefined;
}

/** The gateway's page, HTML. Whatever is not ours, such as the customer's name, is text in it. */
export function renderPage({ customer, packages, language, system }: Visit): string {
  const texts = TEXTS[language];
  const say = (key: keyof Texts, values: Readonly<Record<string, string>> = {}): string =>
    escapeHtml(texts[key].replace(/\{(\w+)\}/gu, (_, name: string) => ({ customer, ...values })[name] ?? ''));
  const order = system === undefined ? SYSTEMS : [system, ...SYSTEMS.filter((other) => other !== system)];
  const offered = order.flatMap((one) => packages.filter((entry) => entry.system === one));
  const size = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const item = (entry: ShelfEntry): string => {
    const { name, sha256 } = entry;
    const first = entry.system === system;
    return `<li${first ? ' class="first"' : ''}>
<h3>${say(entry.system)}${first ? ` <span class="quiet">${say('yours')}</span>` : ''}</h3>
<p><a href="/packages/${sha256}/${escapeHtml(encodeURIComponent(name))}">${say('download', { name })}</a>
<span class="quiet">${say('size', { size: size.format(entry.size / 1e6) })}</span></p>
<p class="quiet">${say('hash')} <code>${sha256}</code></p>
<p class="quiet">${say(`check.${entry.system}`, { name })}</p>
</li>`;
  };
  const step = (picture: string, index: number): string =>
    `<li>${picture}<p>${say(`step.${index + 1}` as keyof Texts)}</p></li>`;
  const languages = (Object.keys(TEXTS) as Language[]).map((one) =>
    one === language
      ? `<span lang="${one}" aria-current="true">${LANGUAGE_NAMES[one]}</span>`
      : `<a href="/?lang=${one}" lang="${one}" hreflang="${one}">${LANGUAGE_NAMES[one]}</a>`,
  );
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${say('title')}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<h1>${say('title')}</h1>
<p class="lead">${say('lead')}</p>
<h2>${say('get')}</h2>
${offered.length === 0 ? `<p>${say('none')}</p>` : `<ul class="packages">\n${offered.map(item).join('\n')}\n</ul>`}
<h2>${say('how')}</h2>
<ol class="steps">
${STEP_PICTURES.map(step).join('\n')}
</ol>
<p class="quiet">${say('terminal')}</p>
</main>
<footer><nav aria-label="${say('language')}">${languages.join('\n')}</nav></footer>
</body>
</html>
`;
}
