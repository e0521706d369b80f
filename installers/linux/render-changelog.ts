import { MAINTAINER } from './render-control.ts';

const WIDTH = 78;

/** Renders Debian's changelog, see deb-changelog(5), from the version's section in CHANGELOG.md. */
export function renderChangelog(
  markdown: string,
  version: string,
  epochSeconds: number,
  name = 'kiwistack-enroll',
): string {
  const base = /^\d+\.\d+\.\d+/u.exec(version)?.[0] ?? version;
  const section = markdown.split(/^## /mu).find((part) => part.startsWith(`[${base}]`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no section [${base}]`);
  const entries = [...section.matchAll(/^- (.+(?:\n {2}.+)*)/gmu)].map(([, text = '']) => wrap(plain(text)));
  const date = new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) stable; urgency=medium\n\n${entries.join('\n')}\n\n -- ${MAINTAINER}  ${date}\n`;
}

function plain(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').replaceAll(/[`*]/gu, '');
}

function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > WIDTH - 4) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line, index) => `${index === 0 ? '  * ' : '    '}${line}`).join('\n');
}
