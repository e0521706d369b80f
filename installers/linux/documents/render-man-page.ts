import type { CommandNode, OptionNode, Parameter } from './command-tree.ts';

/**
 * Puts the program's commands into its man page, see mdoc(7): `@COMMANDS@` stands in the template where they belong. The rest of the page is
 * written by hand.
 */
export function renderManPage(
  template: string,
  nodes: readonly CommandNode[],
  values: { readonly epochSeconds: number },
): string {
  const date = new Date(values.epochSeconds * 1000);
  const day = `${MONTHS[date.getUTCMonth()] ?? ''} ${date.getUTCDate()}, ${date.getUTCFullYear()}`;
  const commands = nodes.filter(({ commands: below }) => below.length === 0).map(itemOf);
  return template.replace('@DATE@', day).replace('@COMMANDS@\n', `.Bl -tag -width Ds\n${commands.join('')}.El\n`);
}

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November'],
  'December',
];

function itemOf({ path, description, options, parameters }: CommandNode): string {
  const mandatory = options.filter((option) => option.mandatory).map(synopsisOf);
  const given = parameters.map(argumentOf);
  const head = [
    '.It Cm',
    path,
    ...given,
    ...mandatory,
    ...(options.length > mandatory.length ? ['Op Ar option ...'] : []),
  ];
  const list = options.length === 0 ? '' : `.Bl -tag -width Ds\n${options.map(optionOf).join('')}.El\n`;
  return `${head.join(' ')}\n${sentence(description)}${list}`;
}

const synopsisOf = ({ flag, value }: OptionNode): string =>
  `Fl Fl ${flag.slice(2)}${value === undefined ? '' : ` ${argumentOf(value)}`}`;

const argumentOf = ({ name, variadic }: Parameter): string => `Ar ${name}${variadic ? ' ...' : ''}`;

function optionOf({ flag, description, value }: OptionNode): string {
  const head = `.It Fl Fl ${flag.slice(2)}${value === undefined ? '' : ` ${argumentOf(value)}`}`;
  const choices = value === undefined || value.choices.length === 0 ? '' : `: ${value.choices.join(', ')}`;
  return `${head}\n${sentence(`${description}${choices}`)}`;
}

/** A line of text: with a capital and a full stop, and nothing that troff would take for a request. */
function sentence(text: string): string {
  const whole = `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
  return `${whole.replaceAll('\\', String.raw`\e`).replace(/^(?=[.'])/u, String.raw`\&`)}\n`;
}
