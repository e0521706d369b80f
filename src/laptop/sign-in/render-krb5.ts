import { krb5Conf } from '../../core/krb5-conf.ts';
import { MARKER } from '../system/found.ts';
import type { SignInDirectory } from '../../protocol/sign-in-directory.ts';

/** krb5.conf(5), for programs that use a ticket. SSSD tells libkrb5 the KDC while it is online; this is for when it is not. */
export function renderKrb5({ kerberos }: Pick<SignInDirectory, 'kerberos'>): string {
  const { realm, kdcs, domains } = kerberos;
  return `${MARKER}\n${krb5Conf({ realm, kdcs, domains })}`;
}

const REASON = `${MARKER}: the next line goes with the enrollment.`;

/**
 * krb5.conf with a line that includes the folder: Debian's has none. At the top, because of several values for one setting the first one counts, and
 * a Debian without anybody's choice has a default realm too.
 */
export function withInclude(text: string, folder: string): string {
  const includes = text.split('\n').some((line) => /^includedir\s+/u.test(line) && line.split(/\s+/u)[1] === folder);
  return includes ? text : `${REASON}\nincludedir ${folder}\n${text}`;
}

/** The same without our two lines, wherever they are; a line of others stays. */
export function withoutInclude(text: string): string {
  const lines = text.split('\n');
  const at = lines.indexOf(REASON);
  if (at < 0) return text;
  return lines.toSpliced(at, lines[at + 1]?.startsWith('includedir ') === true ? 2 : 1).join('\n');
}
