/** What every program may see of its caller's environment; the last two are those of test builds. */
const COMMON = ['LANG', 'LC_ALL', 'LC_MESSAGES', 'TERM', 'NO_COLOR', 'JOURNAL_STREAM'];
const OF_TEST_BUILDS = ['KIWISTACK_FAULT', 'KIWISTACK_FAULT_TRACE'];
/** How a client finds its proxy. */
export const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'];

export interface Launcher {
  /** The command, and the folder of its program in /usr/lib. */
  readonly name: string;
  /** The variables that it hands on besides those that every program may see. */
  readonly variables: readonly string[];
  /** Where the program finds others that it has no fixed path for. */
  readonly path?: string;
}

/** Renders the shell script in /usr/bin from its template, launcher.sh. */
export function renderLauncher(template: string, { name, variables, path = SYSTEM_PATH }: Launcher): string {
  return template
    .replaceAll('@NAME@', name)
    .replaceAll('@VARIABLES@', [...COMMON, ...variables, ...OF_TEST_BUILDS].join(' '))
    .replaceAll('@PATH@', path);
}

const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
