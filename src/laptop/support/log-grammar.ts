import { FORM } from './forms.ts';
import { keep, type Allowed, type LeftOut } from './keep.ts';

const REQUEST = FORM.uuid;
const REASON = /network|wake|clock|silent|stale|asked/;
const RUNG = /nudge|readd|race/;
const VERB = /status|doctor|check|renew|enroll|uninstall|mend|repair|support-bundle|tunnel/;

/**
 * The lines of our own log that may leave: these events, and of their fields these. Everything else in a journal is text of somebody:
 * what a program said, a path, a name. It is counted and left out.
 */
const EVENTS: Readonly<Record<string, Readonly<Record<string, Allowed>>>> = {
  exchange: {
    what: /hello|statement|abandon|confirm|status|leave|renewals|bundles/,
    http: /\d{3}/,
    request: REQUEST,
    code: FORM.code,
    way: /direct|proxy/,
    ms: /\d{1,9}/,
  },
  checked: {
    result: /not-enrolled|removed|not-answered|pending|active|ended|incomplete/,
    code: FORM.code,
    request: REQUEST,
    renewal: (text) => text === 'renewed' || FORM.code(text),
    number: /\d{1,10}/,
    until: FORM.time,
    tunnel: FORM.code,
    mended: RUNG,
    mtu: /\d{1,5}/,
    followed: /true/,
  },
  mended: {
    result: /well|mended|silent/,
    reason: REASON,
    by: RUNG,
    code: FORM.code,
    mtu: /\d{1,5}/,
    ms: /\d{1,9}/,
  },
  // The agent's, without whom it served.
  asked: { verb: VERB },
  answered: { verb: VERB, ms: /\d{1,9}/ },
  'not-done': { verb: VERB, code: FORM.code, request: REQUEST },
  // The watcher's.
  asks: { reason: REASON },
  'program-ended': { code: /\d{1,3}/ },
  'program-failed': {},
  'certificate-not-taken': { code: FORM.code },
  'device-key-in-file': { code: FORM.code },
  'sign-in': { outcome: /set-up|unavailable|none|unsaid/, code: FORM.code },
  'not-kept': { what: /seen/, code: FORM.code },
  'not-taken-back': { code: FORM.code },
  notice: { matter: /[a-z][a-z-]{1,40}/, state: /told|withdrawn|nobody/ },
};

/** journalctl's `short-iso`: time, host, program and its number before the message. The host's name stays here. */
const PREFIX = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:?\d{2}) \S{1,255} [\w.-]{1,64}\[\d{1,10}\]: (.*)$/u;
const FIELD = /^([a-z]{1,20})=([\w.:/@+-]{1,300})$/u;
const MAX_LINES = 1000;

/** The known lines of a log, newest last. */
export function knownLines(log: string, leftOut: LeftOut): string[] {
  const lines = log.split('\n').filter((line) => line !== '');
  const known = lines.flatMap((line) => {
    const kept = knownLine(line, leftOut);
    if (kept === undefined) leftOut.count++;
    return kept === undefined ? [] : [kept];
  });
  return known.slice(-MAX_LINES);
}

function knownLine(line: string, leftOut: LeftOut): string | undefined {
  const [, at, rest = line] = PREFIX.exec(line) ?? [];
  const [event = '', ...fields] = rest.replace(/^<[0-7]>/u, '').split(' ');
  const allowed = Object.hasOwn(EVENTS, event) ? EVENTS[event] : undefined;
  if (allowed === undefined) return undefined;
  const said: Record<string, string> = {};
  for (const field of fields) {
    const [, name, value] = FIELD.exec(field) ?? [];
    if (name === undefined || value === undefined || Object.hasOwn(said, name)) return undefined;
    said[name] = value;
  }
  const kept = Object.entries(keep(said, allowed, leftOut) as Record<string, string>);
  return [...(at === undefined ? [] : [at]), event, ...kept.map(([name, value]) => `${name}=${value}`)].join(' ');
}
