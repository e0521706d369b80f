import type { Ability, WhatWorks } from './what-works.ts';

const ABILITIES: Readonly<Record<Ability, string>> = {
  inside: "the customer's networks, through the tunnel",
  'inside-names': "names of the customer's domains",
  certificate: 'whatever asks for the device certificate',
  management: 'management by Fleet',
  renewal: 'renewing the certificate',
  news: 'being told by the slice, for example of an offboarding',
};

/** For a person: which part fails, what works without it, what does not, and until when. Nothing while every part works. */
export function tellWhatWorks({ failing, works, fails, until }: WhatWorks, now: number): string[] {
  if (failing.length === 0 && until === undefined) return [];
  const list = (abilities: readonly Ability[]): string => abilities.map((ability) => ABILITIES[ability]).join('; ');
  return [
    ...failing.map(({ part, text }) => `FAILING      ${part}: ${text}`),
    `still works  the internet and this laptop itself${works.length === 0 ? '' : `; ${list(works)}`}`,
    ...(fails.length === 0 ? [] : [`does NOT     ${list(fails)}`]),
    ...(until === undefined ? [] : [`until        ${untilText(until, now)}`]),
  ];
}

function untilText({ certificate, renewal }: NonNullable<WhatWorks['until']>, now: number): string {
  const ended = certificate !== undefined && Date.parse(certificate) <= now;
  const first =
    certificate === undefined ? '' : `the certificate ${ended ? 'ended' : 'is good until'} ${certificate}; `;
  const again = 'this laptop has to be enrolled again with a YubiKey';
  if (renewal === undefined)
    return `${first}for some days after its end it can still be renewed, and after them ${again}`;
  return Date.parse(renewal) <= now
    ? `${first}it could be renewed until ${renewal}, so ${again}`
    : `${first}it can be renewed until ${renewal}, and after that ${again}`;
}
