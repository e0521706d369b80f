/** What apt and dpkg keep of any package that came and went. */
const EXPLAINED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /^\/var\/log\/(dpkg\.log|apt(\/|$)|apt\/.*) ?/u,
    'the history: an administrator wants to see that the package was here',
  ],
  [/^\/var\/lib\/dpkg\/(status-old|lock\S*) /u, "dpkg's copy of its state before the last change, and its lock"],
  [/^\/var\/lib\/apt\/(extended_states|lists\/lock)( |$)/u, "apt's own notes: which packages came by themselves"],
  [/^\/var\/lib\/PackageKit\//u, "PackageKit's history, which apt tells"],
  [/^\/etc\/ssl\/certs\/java\/cacerts /u, 'Java’s copy of the roots is written anew, with new dates'],
  [/^\/var\/cache\/(apt|man)(\/|\s)/u, 'indexes that are made anew from what is installed'],
];

/** The changes of a disk but for those that are explained. */
export function withoutAptTraces(changes: readonly string[]): string[] {
  return changes.filter((line) => !EXPLAINED.some(([pattern]) => pattern.test(line)));
}
