import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';

import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { ChainError, verifyChain } from '../../../src/pki/chain.ts';
import { CONFINED_USAGES, confinementFault, confinementOf } from '../../../src/pki/confinement.ts';
import { writeElement } from '../../../src/pki/der-element.ts';
import { NAME_CONSTRAINTS, readNameConstraints, renderNameConstraints } from '../../../src/pki/name-constraints.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { issue, makeIntermediate, makeRoot, NOW, type Authority } from './test-authority.ts';

const run = promisify(execFile);
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

// General names (RFC 5280, section 4.2.1.6).
const dns = (name: string): Buffer => writeElement(0x82, latin1(name));
const email = (name: string): Buffer => writeElement(0x81, latin1(name));
const uri = (name: string): Buffer => writeElement(0x86, latin1(name));
const ip = (octets: string): Buffer => writeElement(0x87, hex(octets));
const sequence = (...content: Buffer[]): Buffer => writeElement(0x30, ...content);
const utf8 = (text: string): Buffer => writeElement(0x0c, Buffer.from(text));
const otherName = writeElement(0xa0, hex('060a2b060104018237140203'), writeElement(0xa0, utf8('www.bank.example')));
const directoryName = writeElement(0xa4, sequence(writeElement(0x31, sequence(hex('0603550403'), utf8('x')))));

const subtrees = (tag: number, bases: readonly Buffer[]): Buffer[] =>
  bases.length === 0 ? [] : [writeElement(tag, ...bases.map((base) => sequence(base)))];
const constraintsOf = (permitted: readonly Buffer[], excluded: readonly Buffer[] = []): Buffer =>
  sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));

let dir: string;
let root: Authority;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-names-'));
  root = await makeRoot();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const constrained = (value: Buffer, critical = true): Promise<Authority> =>
  makeIntermediate(root, 'acme intermediate', { extensions: [{ oid: NAME_CONSTRAINTS, value, critical }] });

const named = (issuer: Authority, names: readonly Buffer[], cn = 'a server'): Promise<Authority> =>
  issue(cn, {
    issuer,
    extensions: names.length === 0 ? [] : [{ oid: '2.5.29.17', value: sequence(...names) }],
  });

function verdict(leaf: Certificate, intermediate: Certificate, top = root.certificate): string {
  try {
    verifyChain({ leaf, intermediate, roots: [top], at: leaf.notBefore > NOW ? leaf.notBefore : NOW });
    return 'taken';
  } catch (error) {
    if (error instanceof ChainError) return error.message;
    throw error;
  }
}

/** What the openssl program says of the same chain, for any purpose. */
async function openssl(leaf: Certificate, intermediate: Certificate): Promise<boolean> {
  const file = (name: string): string => path.join(dir, name);
  await writeFile(file('root.pem'), root.certificate.pem);
  await writeFile(file('intermediate.pem'), intermediate.pem);
  await writeFile(file('leaf.pem'), leaf.pem);
  const trust = ['-CAfile', file('root.pem'), '-untrusted', file('intermediate.pem')];
  const argv = ['verify', '-attime', String(NOW.getTime() / 1000), ...trust, file('leaf.pem')];
  return run('/usr/bin/openssl', argv).then(
    () => true,
    () => false,
  );
}

interface Case {
  readonly permitted?: readonly Buffer[];
  readonly excluded?: readonly Buffer[];
  readonly names?: readonly Buffer[];
  readonly cn?: string;
}

const ACME = dns('acme.example');

describe('names that a CA may certify', () => {
  const taken: readonly (readonly [string, Case])[] = [
    ['the domain itself', { permitted: [ACME], names: [dns('acme.example')] }],
    ['a host of the domain', { permitted: [ACME], names: [dns('www.acme.example')] }],
    ['a deep one', { permitted: [ACME], names: [dns('a.b.c.acme.example')] }],
    ['in capitals', { permitted: [ACME], names: [dns('WWW.Acme.EXAMPLE')] }],
    ['under a constraint in capitals', { permitted: [dns('ACME.Example')], names: [dns('www.acme.example')] }],
    ['a wildcard below it', { permitted: [ACME], names: [dns('*.acme.example')] }],
    ['one of two domains', { permitted: [dns('other.example'), ACME], names: [dns('www.acme.example')] }],
    ['below a constraint with a dot in front', { permitted: [dns('.acme.example')], names: [dns('www.acme.example')] }],
    ['any, when the empty name is permitted', { permitted: [dns('')], names: [dns('www.bank.example')] }],
    ['an address of the network', { permitted: [ip('0a4d0000 ffff0000')], names: [ip('0a4d011e')] }],
    ['a form that nothing is said of', { permitted: [ACME], names: [uri('urn:kiwistack:customer:acme')] }],
    [
      'beside what is excluded',
      { permitted: [ACME], excluded: [dns('x.acme.example')], names: [dns('y.acme.example')] },
    ],
    ['a common name that is no DNS name', { permitted: [ACME], cn: 'KiwiStack acme gateway' }],
    ['a common name of one label', { permitted: [ACME], cn: 'anna-laptop' }],
    ['a common name beside a DNS name', { permitted: [ACME], names: [dns('acme.example')], cn: 'www.bank.example' }],
    ['a mailbox at the host', { permitted: [email('acme.example')], names: [email('anna@ACME.example')] }],
    ['a URI of the host', { permitted: [uri('acme.example')], names: [uri('https://acme.example:8/x')] }],
    ['a URI below the domain', { permitted: [uri('.acme.example')], names: [uri('https://u@www.acme.example')] }],
  ];

  it.each(taken)('%s', async (_, { permitted = [], excluded = [], names = [], cn }) => {
    const issuer = await constrained(constraintsOf(permitted, excluded));
    const leaf = await named(issuer, names, cn);
    expect(verdict(leaf.certificate, issuer.certificate)).toBe('taken');
    expect(await openssl(leaf.certificate, issuer.certificate)).toBe(true);
  });
});

describe('names that a CA may not certify', () => {
  const V6 = ip('00000000000000000000000000000000 00000000000000000000000000000000');
  // `only us`: where we are stricter than OpenSSL 3.0.
  const refused: readonly (readonly [string, Case, 'openssl too' | 'only us'])[] = [
    ['another domain', { permitted: [ACME], names: [dns('www.bank.example')] }, 'openssl too'],
    ['a name that only ends alike', { permitted: [ACME], names: [dns('evilacme.example')] }, 'openssl too'],
    ['the domain above', { permitted: [dns('a.acme.example')], names: [dns('acme.example')] }, 'openssl too'],
    [
      'a wildcard for the domain above',
      { permitted: [dns('a.acme.example')], names: [dns('*.acme.example')] },
      'openssl too',
    ],
    ['the domain in front', { permitted: [ACME], names: [dns('acme.example.bank.example')] }, 'openssl too'],
    [
      'one good name and one bad',
      { permitted: [ACME], names: [dns('acme.example'), dns('bank.example')] },
      'openssl too',
    ],
    [
      'the domain of a constraint with a dot in front',
      { permitted: [dns('.acme.example')], names: [dns('acme.example')] },
      'openssl too',
    ],
    ['a name that ends with a dot', { permitted: [ACME], names: [dns('www.bank.example.')] }, 'openssl too'],
    ['no name at all', { permitted: [ACME], names: [dns('')] }, 'openssl too'],
    ['a name with a zero byte', { permitted: [ACME], names: [dns('www.bank.example\0.acme.example')] }, 'only us'],
    ['a wildcard inside a label', { permitted: [ACME], names: [dns('w*.acme.example')] }, 'only us'],
    ['only a common name', { permitted: [ACME], cn: 'www.bank.example' }, 'openssl too'],
    ['a common name with a wildcard', { permitted: [ACME], cn: '*.bank.example' }, 'only us'],
    [
      'a common name beside a URI',
      { permitted: [ACME], names: [uri('urn:x:y')], cn: 'www.bank.example' },
      'openssl too',
    ],
    [
      'excluded, although permitted',
      { permitted: [ACME], excluded: [dns('x.acme.example')], names: [dns('a.x.acme.example')] },
      'openssl too',
    ],
    [
      'a wildcard over what is excluded',
      { permitted: [ACME], excluded: [dns('x.acme.example')], names: [dns('*.acme.example')] },
      'only us',
    ],
    ['excluded with a dot in front', { excluded: [dns('.acme.example')], names: [dns('acme.example')] }, 'only us'],
    ['any, when the empty name is excluded', { excluded: [dns('')], names: [dns('www.acme.example')] }, 'openssl too'],
    ['an address outside', { permitted: [ip('0a4d0000 ffff0000')], names: [ip('0a4e0001')] }, 'openssl too'],
    [
      'an address on the other side of an odd mask',
      { permitted: [ip('0a4d0080 ffffff80')], names: [ip('0a4d007f')] },
      'openssl too',
    ],
    [
      'IPv6 where only IPv4 is permitted',
      { permitted: [ip('0a4d0000 ffff0000')], names: [ip('00000000000000000000ffff0a4d0001')] },
      'openssl too',
    ],
    ['IPv6 where it is excluded', { excluded: [V6], names: [ip('20010db8000000000000000000000001')] }, 'openssl too'],
    ['an address of five bytes', { permitted: [ip('0a4d0000 ffff0000')], names: [ip('0a4d000000')] }, 'openssl too'],
    ['a mailbox elsewhere', { permitted: [email('acme.example')], names: [email('anna@bank.example')] }, 'openssl too'],
    [
      'a mailbox at a host below',
      { permitted: [email('acme.example')], names: [email('anna@www.acme.example')] },
      'openssl too',
    ],
    [
      'a URI elsewhere',
      { permitted: [uri('acme.example')], names: [uri('https://bank.example/acme.example')] },
      'openssl too',
    ],
    [
      'a URI with the host as a user',
      { permitted: [uri('acme.example')], names: [uri('https://acme.example@bank.example/')] },
      'openssl too',
    ],
    [
      'a URI without a host',
      { permitted: [uri('acme.example')], names: [uri('urn:kiwistack:customer:acme')] },
      'openssl too',
    ],
    ['another form of name', { permitted: [ACME], names: [dns('acme.example'), otherName] }, 'only us'],
    ['a name of a directory', { permitted: [ACME], names: [dns('acme.example'), directoryName] }, 'only us'],
  ];

  it.each(refused)('%s', async (_, { permitted = [], excluded = [], names = [], cn }, who) => {
    const issuer = await constrained(constraintsOf(permitted, excluded));
    const leaf = await named(issuer, names, cn);
    expect(verdict(leaf.certificate, issuer.certificate)).toMatch(/^leaf: name \(/);
    expect(await openssl(leaf.certificate, issuer.certificate)).toBe(who === 'only us');
  });

  it('also when the extension is not critical', async () => {
    const issuer = await constrained(constraintsOf([ACME]), false);
    const leaf = await named(issuer, [dns('www.bank.example')]);
    expect(verdict(leaf.certificate, issuer.certificate)).toContain('leaf: name');
  });

  it('also when the root has the constraints', async () => {
    const extensions = [{ oid: NAME_CONSTRAINTS, value: constraintsOf([ACME]), critical: true }];
    const top = await makeRoot('Constrained root', { extensions });
    const below = await makeIntermediate(top);
    const [good, bad] = [await named(below, [ACME]), await named(below, [dns('www.bank.example')])];
    expect(verdict(good.certificate, below.certificate, top.certificate)).toBe('taken');
    expect(verdict(bad.certificate, below.certificate, top.certificate)).toContain('leaf: name');
  });

  it('also with an e-mail address in the subject', async () => {
    const issuer = await constrained(constraintsOf([email('acme.example')]));
    const made = await byOpenssl(issuer, '/CN=a server/emailAddress=anna@bank.example');
    expect(verdict(made, issuer.certificate)).toContain('leaf: name');
  });

  it('also with two common names, or one in an encoding of two bytes a character', async () => {
    const issuer = await constrained(constraintsOf([ACME]));
    const twice = await byOpenssl(issuer, '/CN=acme.example/CN=www.bank.example');
    expect(verdict(twice, issuer.certificate)).toContain('www.bank.example is not permitted');
    const wide = await byOpenssl(issuer, '/CN=www.bänk-€.example', { request: 'string_mask = MASK:0x800' });
    expect(verdict(wide, issuer.certificate)).toContain('leaf: name');
  });
});

describe('name constraints that are refused as a whole', () => {
  it.each([
    ['neither list', '3000'],
    ['an empty list', '3002a000'],
    ['the lists in the wrong order', '3018 a10a 3008 8206 612e6578616d a00a 3008 8206 622e6578616d'],
    ['a directory name', constraintsOf([directoryName]).toString('hex')],
    ['another name', constraintsOf([], [otherName]).toString('hex')],
    ['a registered ID', constraintsOf([writeElement(0x88, hex('2a03'))]).toString('hex')],
    ['a mask with a hole', constraintsOf([ip('0a4d0000 ff00ff00')]).toString('hex')],
    ['a network of five bytes', constraintsOf([ip('0a4d0000 ff')]).toString('hex')],
    ['a DNS name with a wildcard', constraintsOf([dns('*.acme.example')]).toString('hex')],
    ['a DNS name that ends with a dot', constraintsOf([dns('acme.example.')]).toString('hex')],
    ['an empty mailbox', constraintsOf([email('')]).toString('hex')],
    ['a minimum', sequence(writeElement(0xa0, sequence(ACME, hex('800101')))).toString('hex')],
    ['a maximum', sequence(writeElement(0xa0, sequence(ACME, hex('810101')))).toString('hex')],
    ['bytes behind them', `${constraintsOf([ACME]).toString('hex')}00`],
    ['a length that is not the shortest', '30810ea00c300a8208612e6578616d706c'],
  ])('%s', async (_, value) => {
    const issuer = await constrained(hex(value));
    const leaf = await named(issuer, [dns('acme.example')]);
    expect(verdict(leaf.certificate, issuer.certificate)).toContain('intermediate: name-constraints');
    expect(confinementFault({ ...issuer.certificate, extendedKeyUsages: [EKU.serverAuth] })).toBeDefined();
  });

  it('and in a leaf, where they mean nothing, when they are critical', async () => {
    const issuer = await makeIntermediate(root);
    const extensions = [{ oid: NAME_CONSTRAINTS, value: constraintsOf([ACME]), critical: true }];
    const leaf = await issue('x', { issuer, extensions });
    expect(verdict(leaf.certificate, issuer.certificate)).toBe('leaf: critical-extension');
  });
});

describe('extended key usages of a CA', () => {
  it('limit those of what is below it', async () => {
    const issuer = await makeIntermediate(root, 'acme intermediate', { extendedKeyUsages: [EKU.clientAuth] });
    const of = async (usages?: string[]): Promise<string> => {
      const leaf = await issue('x', { issuer, ...(usages === undefined ? {} : { extendedKeyUsages: usages }) });
      return verdict(leaf.certificate, issuer.certificate);
    };
    expect(await of([EKU.clientAuth])).toBe('taken');
    expect(await of([EKU.clientAuth, EKU.serverAuth])).toBe('leaf: extended-key-usage');
    expect(await of([EKU.any])).toBe('leaf: extended-key-usage');
    expect(await of()).toBe('leaf: extended-key-usage');
  });
});

describe('a confined intermediate', () => {
  const names = { domains: ['corp.acme.example'], networks: ['10.77.0.0/24', '10.77.1.0/25'] };
  const make = (value: Buffer, more = {}, critical = true): Promise<Authority> =>
    makeIntermediate(root, 'acme intermediate', {
      extendedKeyUsages: CONFINED_USAGES,
      extensions: [{ oid: NAME_CONSTRAINTS, value, critical }],
      ...more,
    });

  it('is what we make, and reads back as it was written', async () => {
    const wanted = confinementOf(names);
    expect(readNameConstraints(renderNameConstraints(wanted))).toEqual(wanted);
    const { certificate } = await make(renderNameConstraints(wanted));
    expect(confinementFault(certificate)).toBeUndefined();
  });

  it('has the constraints that the openssl program shows', async () => {
    const { certificate } = await make(renderNameConstraints(confinementOf(names)));
    await writeFile(path.join(dir, 'confined.pem'), certificate.pem);
    const { stdout } = await run('/usr/bin/openssl', [
      'x509',
      '-in',
      path.join(dir, 'confined.pem'),
      '-noout',
      '-text',
    ]);
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'X509v3 Name Constraints: critical Permitted: DNS:corp.acme.example email:kiwistack.invalid ' +
        'IP:10.77.0.0/255.255.255.0 IP:10.77.1.0/255.255.255.128 Excluded: IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0',
    );
  });

  it('certifies no website when the customer has no domain', async () => {
    const issuer = await make(renderNameConstraints(confinementOf({ ...names, domains: [] })));
    const leaf = await issue('x', { issuer, extendedKeyUsages: [EKU.serverAuth], sanDns: ['www.bank.example'] });
    expect(verdict(leaf.certificate, issuer.certificate)).toContain('leaf: name');
    expect(await openssl(leaf.certificate, issuer.certificate)).toBe(false);
  });

  const good = [ACME, ip('0a4d0000 ffff0000')];
  const noV6 = ip('00000000000000000000000000000000 00000000000000000000000000000000');
  test.each([
    ['that is not critical', constraintsOf(good, [noV6]), {}, false, 'names'],
    ['with the empty DNS name', constraintsOf([...good, dns('')], [noV6]), {}, true, 'DNS'],
    ['with a top-level domain', constraintsOf([...good, dns('com')], [noV6]), {}, true, 'DNS'],
    ['with .com', constraintsOf([...good, dns('.com')], [noV6]), {}, true, 'DNS'],
    ['without DNS names', constraintsOf([ip('0a4d0000 ffff0000')], [noV6]), {}, true, 'DNS'],
    ['without IPv4', constraintsOf([ACME], [noV6]), {}, true, 'addresses'],
    ['with all of IPv4', constraintsOf([...good, ip('00000000 00000000')], [noV6]), {}, true, 'addresses'],
    ['without IPv6', constraintsOf(good), {}, true, 'addresses'],
    ['for any use', constraintsOf(good, [noV6]), { extendedKeyUsages: [EKU.any] }, true, 'usages'],
    [
      'for code as well',
      constraintsOf(good, [noV6]),
      { extendedKeyUsages: [EKU.serverAuth, '1.3.6.1.5.5.7.3.3'] },
      true,
      'usages',
    ],
    ['without key usages', constraintsOf(good, [noV6]), { extendedKeyUsages: undefined }, true, 'usages'],
    ['with CAs below', constraintsOf(good, [noV6]), { ca: { pathLength: 1 } }, true, 'CAs'],
  ])('is not one %s', async (_, value, more, critical, why) => {
    expect(confinementFault((await make(value, more, critical)).certificate)).toContain(why);
  });

  it('is not one without name constraints', async () => {
    const { certificate } = await makeIntermediate(root, 'x', { extendedKeyUsages: CONFINED_USAGES });
    expect(confinementFault(certificate)).toContain('names');
  });

  it('may also be made by openssl', async () => {
    const constraints = [
      'permitted;DNS:.acme.example',
      'excluded;IP:0.0.0.0/0.0.0.0',
      'excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0',
    ];
    const lines = [
      'basicConstraints = critical,CA:TRUE,pathlen:0',
      'keyUsage = critical,keyCertSign',
      'extendedKeyUsage = clientAuth',
      `nameConstraints = critical,${constraints.join()}`,
    ];
    const made = await byOpenssl(root, '/CN=acme intermediate', { extensions: lines.join('\n') });
    expect(confinementFault(made)).toBeUndefined();
  });
});

/** A certificate that the openssl program made, with what `issueCertificate` cannot write. */
async function byOpenssl(
  issuer: Authority,
  subject: string,
  { request = '', extensions = 'keyUsage = digitalSignature' } = {},
): Promise<Certificate> {
  const file = (name: string): string => path.join(dir, name);
  await writeFile(file('conf'), `[req]\nprompt=no\ndistinguished_name=dn\n${request}\n[dn]\n[ext]\n${extensions}\n`);
  await writeFile(file('issuer.pem'), issuer.certificate.pem);
  await writeFile(file('issuer.key'), issuer.key.export({ type: 'pkcs8', format: 'pem' }));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('new.key')];
  const wish = ['req', '-new', '-utf8', '-config', file('conf'), '-subj', subject, ...key, '-out', file('new.csr')];
  await run('/usr/bin/openssl', wish);
  const ca = ['-CA', file('issuer.pem'), '-CAkey', file('issuer.key'), '-days', '2'];
  const add = ['-extfile', file('conf'), '-extensions', 'ext', '-out', file('new.pem')];
  await run('/usr/bin/openssl', ['x509', '-req', '-in', file('new.csr'), ...ca, ...add]);
  return parseCertificate(await readFile(file('new.pem'), 'utf8'));
}
