import type { CommandNode, OptionNode, Parameter } from './command-tree.ts';

/** Renders zsh's completion of a program: a function for each command that has others below it, and a case for each of those. */
export function renderZshCompletion(name: string, nodes: readonly CommandNode[]): string {
  const own = `_${name.replaceAll('-', '_')}`;
  const groups = nodes.filter(({ commands }) => commands.length > 0);
  return `#compdef ${name}

${groups.map((group) => groupFunction(own, group, nodes)).join('\n')}
${own} "$@"
`;
}

function groupFunction(own: string, group: CommandNode, nodes: readonly CommandNode[]): string {
  const below = group.commands.map((name) => ({ name, node: find(nodes, group.path, name) }));
  const lines = below.map(({ name, node }) => `    ${quoted(`${name}:${node.description}`)}`);
  const top = group.path === '' ? ["'(- *)'{-V,--version}'[output the version number]'"] : [];
  return `${functionName(own, group.path)}() {
  local -a commands
  local context state state_descr line
  typeset -A opt_args
  commands=(
${lines.join('\n')}
  )
  _arguments -C ${[...top, HELP].join(' ')} '1: :->command' '*:: :->arguments' && return 0
  case $state in
    command) _describe -t commands command commands ;;
    arguments)
      case $line[1] in
${below.map(({ name, node }) => caseOf(own, name, node)).join('\n')}
      esac
      ;;
  esac
}
`;
}

function caseOf(own: string, name: string, node: CommandNode): string {
  if (node.commands.length > 0) return `        ${name}) ${functionName(own, node.path)} ;;`;
  const parts = [...node.options.map(optionOf), HELP, ...node.parameters.map(parameterOf)];
  return `        ${name})\n          _arguments \\\n${parts.map((part) => `            ${part}`).join(' \\\n')}\n          ;;`;
}

const HELP = "'(- *)'{-h,--help}'[display help]'";

function optionOf({ flag, description, value }: OptionNode): string {
  const repeated = value?.variadic === true ? '*' : '';
  return quoted(
    `${repeated}${flag}[${bracketless(description)}]${value === undefined ? '' : `:${bracketless(value.name)}:${actionOf(value)}`}`,
  );
}

function parameterOf(parameter: Parameter): string {
  return quoted(`${parameter.variadic ? '*' : ''}:${parameter.name}:${actionOf(parameter)}`);
}

function actionOf({ name, choices }: Parameter): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  if (name === 'file' || name === 'manifest') return '_files';
  return name === 'folder' ? '_files -/ -W /var/lib/kiwistack-slice' : ' ';
}

function find(nodes: readonly CommandNode[], parent: string, name: string): CommandNode {
  const path = parent === '' ? name : `${parent} ${name}`;
  const found = nodes.find((node) => node.path === path);
  if (found === undefined) throw new TypeError(`there is no command ${path}`);
  return found;
}

const functionName = (own: string, path: string): string =>
  path === '' ? own : `${own}_${path.replaceAll(/[ -]/gu, '_')}`;

/** A specification of `_arguments` takes what is in brackets for its text, and a colon for its end. */
const bracketless = (text: string): string => text.replaceAll(/[[\]:]/gu, (sign) => `\\${sign}`);

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
