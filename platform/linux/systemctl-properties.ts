/** What `systemctl show` says of one unit, by the names of the properties. */
export function systemctlProperties(block: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    block.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
}
