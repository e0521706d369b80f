/** Lines of an element, indented within. */
export type Xml = readonly string[];

/** An element of XML 1.0 with its attributes, and elements or text in it. @throws TypeError for a control character */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  inner: readonly (Xml | string)[] = [],
): Xml {
  const said = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const open = `<${name}${said.join('')}`;
  if (inner.length === 0) return [`${open}/>`];
  const [only] = inner;
  if (inner.length === 1 && typeof only === 'string') return [`${open}>${escaped(only)}</${name}>`];
  const lines = inner.flatMap((one) => (typeof one === 'string' ? [escaped(one)] : one));
  return [`${open}>`, ...lines.map((line) => `  ${line}`), `</${name}>`];
}

function escaped(text: string): string {
  if (/[\u0000-\u001F\u007F]/u.test(text)) throw new TypeError('a control character');
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/gu, (character) => entities[character] ?? character);
}
