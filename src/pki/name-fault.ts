import type { Certificate } from './certificate.ts';
import { elementsOf } from './der-element.ts';
import { isHost, readGeneralNames, type GeneralName, type NameConstraints, type Subtree } from './name-constraints.ts';

type Text = Exclude<GeneralName, { form: 'ip' | 'other' }>;

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
/** OIDs of the attributes commonName and emailAddress, DER. */
const COMMON_NAME = '0603550403';
const EMAIL_ADDRESS = '06092a864886f70d010901';
/** UTF8String, PrintableString, IA5String: the encodings in which a name reads as the bytes that it has. */
const PLAIN_STRINGS = [0x0c, 0x13, 0x16];

/**
 * Says which name of a certificate the constraints of a CA above it do not allow (RFC 5280, section 4.2.1.10, and
 * 6.1.3 (b) and (c)). Stricter than the standard where programs differ in what they take for a name:
 *
 * - a common name that looks like a DNS name counts as one when there is no DNS name: some programs still use it;
 * - a wildcard is excluded when any name that it stands for is;
 * - a name of a form that cannot be constrained is refused.
 *
 * @param which of a leaf, the common names are looked at
 * @throws DerError when the names cannot be read
 */
export function nameFault(
  constraints: NameConstraints,
  certificate: Certificate,
  which: 'leaf' | 'ca',
): string | undefined {
  return namesOf(certificate, which)
    .map((name) => faultOf(constraints, name))
    .find((fault) => fault !== undefined);
}

function faultOf({ permitted, excluded }: NameConstraints, name: GeneralName): string | undefined {
  if (name.form === 'other') return `a name with tag ${name.tag}`;
  const allowed = permitted.filter(({ form }) => form === name.form);
  const barred = excluded.filter(({ form }) => form === name.form);
  if (allowed.length === 0 && barred.length === 0) return undefined;
  const shown = name.form === 'ip' ? name.value.toString('hex') : name.value.slice(0, 100);
  if (barred.some((subtree) => covers(subtree, name, 'any') !== false)) return `${name.form} ${shown} is excluded`;
  if (allowed.length > 0 && !allowed.some((subtree) => covers(subtree, name, 'all') === true)) {
    return `${name.form} ${shown} is not permitted`;
  }
  return undefined;
}

/**
 * @param much for a name that stands for several: whether all of them have to be covered, or any
 * @returns undefined when the name is malformed: it is then neither permitted nor safe from being excluded
 */
function covers(subtree: Subtree, name: GeneralName, much: 'any' | 'all'): boolean | undefined {
  if (subtree.form === 'ip') {
    if (name.form !== 'ip' || (name.value.length !== 4 && name.value.length !== 16)) return undefined;
    const { address, mask } = subtree;
    if (name.value.length !== mask.length) return false;
    return name.value.every((byte, at) => ((byte ^ (address[at] ?? 0)) & (mask[at] ?? 0)) === 0);
  }
  if (name.form !== subtree.form) return undefined;
  const base = subtree.base.toLowerCase();
  if (name.form === 'dns') return dnsCovered(base, name.value.toLowerCase(), much);
  return name.form === 'email' ? emailCovered(subtree.base, name.value) : uriCovered(base, name.value);
}

/** Zero or more labels in front of the base. */
const isWithin = (name: string, base: string): boolean => base === '' || name === base || name.endsWith(`.${base}`);

function dnsCovered(base: string, name: string, much: 'any' | 'all'): boolean | undefined {
  const rest = name.replace(/^\*\./, '');
  if (!isHost(rest)) return undefined;
  const bare = base.replace(/^\./, '');
  // All that a wildcard stands for is below `rest`, and so is a base that it may stand for.
  if (much === 'any') return isWithin(rest, bare) || (rest !== name && bare.endsWith(`.${rest}`));
  return base === bare ? isWithin(rest, bare) : name.endsWith(base);
}

function emailCovered(base: string, mailbox: string): boolean | undefined {
  const [, local = '', host = ''] = /^([^@\s"]+)@([^@\s]+)$/.exec(mailbox) ?? [];
  if (!isHost(host.toLowerCase())) return undefined;
  const at = base.lastIndexOf('@');
  // The local part is compared with case, the host without.
  if (at >= 0) return local === base.slice(0, at) && host.toLowerCase() === base.slice(at + 1).toLowerCase();
  return hostCovered(base.toLowerCase(), host.toLowerCase());
}

/** A URI without a host, or with an address for one, must be refused when URIs are constrained at all. */
function uriCovered(base: string, uri: string): boolean | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@\\]*@)?([^/?#@:\\]+)(?::\d*)?(?:[/?#]|$)/i.exec(uri);
  const host = authority?.[1]?.toLowerCase();
  if (host === undefined || !isHost(host) || /^[\d.]+$/.test(host)) return undefined;
  return hostCovered(base, host);
}

/** For e-mail and URI, a base without a dot in front is one host, and with one the hosts below it. */
const hostCovered = (base: string, host: string): boolean =>
  base.startsWith('.') ? host.endsWith(base) : host === base;

function namesOf(certificate: Certificate, which: 'leaf' | 'ca'): GeneralName[] {
  const extension = certificate.extension(SUBJECT_ALTERNATIVE_NAME);
  const names = extension === undefined ? [] : readGeneralNames(extension);
  const has = (form: Text['form']): boolean => names.some((name) => name.form === form);
  return [
    ...names,
    ...(has('email') ? [] : attributesOf(certificate, EMAIL_ADDRESS).map((value) => text('email', value))),
    ...(which === 'ca' || has('dns')
      ? []
      : attributesOf(certificate, COMMON_NAME)
          .filter(looksLikeDns)
          .map((value) => text('dns', value))),
  ];
}

const text = (form: Text['form'], value: string): Text => ({ form, value });

/** A common name in an encoding of two or four bytes a character reads as something else here: it is taken for a name. */
const looksLikeDns = (name: string): boolean =>
  name.includes('\0') || (name.includes('.') && isHost(name.toLowerCase().replace(/^\*\./, '').replace(/\.$/, '')));

function attributesOf({ subjectDer }: Certificate, oid: string): string[] {
  const sets = elementsOf(subjectDer).flatMap(({ content }) => elementsOf(content));
  return sets
    .flatMap((set) => elementsOf(set.content))
    .map((attribute) => elementsOf(attribute.content))
    .filter(([type]) => type?.bytes.toString('hex') === oid)
    .map(([, value]) => {
      const bytes = value?.content ?? Buffer.alloc(0);
      return PLAIN_STRINGS.includes(value?.tag ?? 0) ? bytes.toString('latin1') : `\0${bytes.toString('latin1')}`;
    });
}
