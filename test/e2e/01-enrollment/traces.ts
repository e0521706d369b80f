/** What an installed and purged package leaves on a Debian machine, and why it is not ours to take away. */
const EXPLAINED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^\/var\/log\/dpkg\.log /u, "dpkg's own history: an administrator wants to see that the package was here"],
  [/^\/var\/lib\/dpkg\/status-old /u, "dpkg's copy of its state before the last change, which was our purge"],
  [
    /^\/etc\/ssl\/certs\/java\/cacerts /u,
    'Java’s copy of the roots is written anew, with new dates; life.ts looks into it',
  ],
];

/** The changes of a disk but for those that are explained. */
export function withoutTraces(changes: readonly string[]): string[] {
  return changes.filter((line) => !EXPLAINED.some(([pattern]) => pattern.test(line)));
}
