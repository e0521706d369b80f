import { EVERYWHERE, TOP_LEVEL, type CommandNode, type Parameter } from './command-tree.ts';

/** Where the package's unit looks for slices: offered for `--dir`. */
const SLICES = '/var/lib/kiwistack-slice/';

/** Renders bash's completion of a program. Names of commands and options are plain words, so nothing has to be quoted. */
export function renderBashCompletion(name: string, nodes: readonly CommandNode[]): string {
  const own = `_${name.replaceAll('-', '_')}`;
  const paths = nodes.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
  return `# bash completion for ${name}(8)                  -*- shell-script -*-

${own}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' words='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${command:+$command }$word" in
      ${paths.join(' | ')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$command $previous" in
${nodes.flatMap(valuesOf).join('\n')}
  esac
  case $command in
${nodes.map(wordsOf).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
${nodes.filter(takesFile).map(filesOf).join('')}}

complete -F ${own} ${name}
`;
}

function valuesOf({ path, options }: CommandNode): string[] {
  return options.flatMap(({ flag, value }) =>
    value === undefined ? [] : [`    '${path} ${flag}')\n${indented(valueLines(value))}\n      return\n      ;;`],
  );
}

function valueLines({ name, choices }: Parameter): string[] {
  if (choices.length > 0) return [`mapfile -t COMPREPLY < <(compgen -W '${choices.join(' ')}' -- "$cur")`];
  if (name === 'file') return files('f');
  if (name !== 'folder') return [];
  return [...files('d'), `[[ -n $cur ]] || mapfile -t COMPREPLY < <(compgen -d -- ${SLICES})`];
}

const files = (kind: 'd' | 'f'): string[] => [
  'compopt -o filenames 2>/dev/null',
  `mapfile -t COMPREPLY < <(compgen -${kind} -- "$cur")`,
];

const indented = (lines: readonly string[]): string => lines.map((line) => `      ${line}`).join('\n') || '      :';

function wordsOf({ path, options, commands }: CommandNode): string {
  const offered = [
    ...commands,
    ...(path === '' ? ['help'] : []),
    ...options.map(({ flag }) => flag),
    ...(path === '' ? TOP_LEVEL : EVERYWHERE),
  ];
  return `    '${path}') words='${offered.join(' ')}' ;;`;
}

const takesFile = ({ parameters }: CommandNode): boolean =>
  parameters.some(({ name }) => name === 'file' || name === 'manifest');

/** Where a file may stand as well as an option. */
const filesOf = ({ path }: CommandNode): string => `  if [[ $command == '${path}' && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
`;
