/** How a rule of the benchmark was judged (XCCDF 1.2, NISTIR 7275 revision 4, section 6.6.4.2). */
export interface RuleResult {
  /** Without the prefix that all of them have. */
  readonly rule: string;
  readonly result: string;
}

export interface Results {
  /** Of 100, as XCCDF counts by default: groups of rules are weighed. */
  readonly score: number;
  /** Only of rules that were selected. */
  readonly rules: readonly RuleResult[];
}

export const RULE_PREFIX = 'xccdf_org.ssgproject.content_rule_';

/** What `oscap xccdf eval --results` has written. @throws TypeError when there is no result in it */
export function readResults(xml: string): Results {
  const [, tested] = xml.split(/<(?:\w+:)?TestResult\b/u);
  const score = /<(?:\w+:)?score\b[^>]*>(?<points>[\d.]+)</u.exec(tested ?? '')?.groups?.['points'];
  if (tested === undefined || score === undefined) throw new TypeError('OpenSCAP wrote no result');
  const found = tested.matchAll(
    /<(?:\w+:)?rule-result\b[^>]*\bidref="(?<id>[^"]+)"[^>]*>.*?<(?:\w+:)?result>(?<result>[a-z]+)</gsu,
  );
  const rules = [...found]
    .map(({ groups }) => ({ rule: (groups?.['id'] ?? '').replace(RULE_PREFIX, ''), result: groups?.['result'] ?? '' }))
    .filter(({ result }) => result !== 'notselected');
  return { score: Number(score), rules };
}

/** Of what was judged: neither passed, nor outside of what concerns this system or can be judged by a program. */
export const isOpen = ({ result }: RuleResult): boolean =>
  !['pass', 'fixed', 'notapplicable', 'notchecked', 'informational'].includes(result);
