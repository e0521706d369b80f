import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** What belongs to one laptop or to the machine that builds, by its place. */
const PLACES: readonly (readonly [RegExp, string])[] = [
  [/^\/etc\/ssh\/ssh_host_[^/]*_key(?:\.pub)?$/u, 'a host key'],
  [/^\/etc\/kiwistack\/(?:factory\.key|factory-disk\.json)$/u, 'the volume of one laptop'],
  [/^\/var\/lib\/kiwistack\/./u, 'state of one laptop'],
  [/^\/var\/lib\/systemd\/(?:random-seed|credential\.secret)$/u, 'a secret of one laptop'],
  [/^\/var\/lib\/cloud\/(?:instance|instances|data)(?:\/|$)/u, 'a run of cloud-init'],
  [/^\/var\/lib\/NetworkManager\/secret_key$/u, 'a secret of one laptop'],
  [/^\/var\/lib\/sss\/(?:db|secrets)\/./u, 'who has signed in somewhere'],
  [/^\/etc\/NetworkManager\/system-connections\/./u, 'a network of somebody'],
  [/^\/etc\/(?:krb5\.keytab|(?:step|wireguard)\/.*)$/u, 'a credential'],
  [/^\/(?:root|home\/[^/]+)\/\.(?:ssh\/.|bash_history$|netrc$)/u, 'something of a person'],
  [/^\/etc\/apt\/auth\.conf/u, 'a password of a package source'],
  [/^\/var\/lib\/dbus\/machine-id$/u, 'a machine-id'],
  [/^\/var\/log\/(?!README$)/u, 'a log'],
  [/^\/opt\/orbit(?:\/|$)/u, "Fleet's agent, which belongs to one laptop"],
];

/** What belongs to one laptop or to the machine that builds, by what is in it. */
const CONTENTS: readonly (readonly [RegExp, RegExp, string])[] = [
  // With a key in it: programs have the words alone. What packages have in /usr is public; some libraries have keys to test themselves.
  [/^\/(?!usr\/(?!local\/))/u, /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s:,-]{40}/u, 'a private key'],
  [/^\/etc\/machine-id$/u, /\S/u, 'a machine-id'],
  [/^\/etc\/resolv\.conf$/u, /./u, 'the resolver of the machine that builds'],
  [/^\/etc\/apt\//u, /Acquire::\w+::proxy|Proxy-Auto-Detect/iu, 'the proxy of the machine that builds'],
  [/^\/etc\/apt\/sources/u, /:\/\/[^/\s]*@/u, 'a password of a package source'],
];

const MAX_READ = 8 << 20;

/** What must not be in an image that many laptops are made from; one line for each. Empty for a fit one. */
export async function findUnfit(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const name = `/${path.relative(root, file)}`;
    for (const [place, what] of PLACES) {
      // D-Bus shares systemd's by a link.
      if (place.test(name) && !(entry.isSymbolicLink() && name.endsWith('/machine-id'))) found.push(`${name}: ${what}`);
    }
    if (!entry.isFile() || (await lstat(file)).size > MAX_READ) continue;
    const text = await readFile(file, 'latin1');
    for (const [place, content, what] of CONTENTS) {
      if (place.test(name) && content.test(text)) found.push(`${name}: ${what}`);
    }
  }
  return [...found, ...(await openAccounts(root))].sort();
}

/** Accounts with a password, or without the need of one: shadow(5). */
async function openAccounts(root: string): Promise<string[]> {
  const shadow = await readFile(path.join(root, 'etc/shadow'), 'latin1').catch(() => '');
  const passwd = await readFile(path.join(root, 'etc/passwd'), 'latin1').catch(() => '');
  const open = (text: string, shut: RegExp, file: string): string[] =>
    text
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([name = '', password = '']) => name !== '' && !shut.test(password))
      .map(([name]) => `${file}: ${name ?? ''} can log in`);
  return [...open(shadow, /^[*!]/u, '/etc/shadow'), ...open(passwd, /^(?:x|[*!].*)$/u, '/etc/passwd')];
}
