/** The files of a domain: slapd, Heimdal and what is in the directory at first. */

export const REALM = 'CORP.EXAMPLE';
export const SUFFIX = 'dc=corp,dc=example';
export const DEVICES = `ou=devices,${SUFFIX}`;
export const DC = 'dc.corp.example';
/** The domain of the principals of laptops. */
export const HOSTS = 'laptops.corp.example';
export const BIND_DN = `cn=kiwi,${SUFFIX}`;
/** Where people sign in to applications: it reads who they are. */
export const IDENTITY = { dn: `cn=identity,${SUFFIX}`, password: 'secret of the identity provider' } as const;
export const ADMINISTRATOR = `kiwistack/admin@${REALM}`;

export interface Person {
  /** As they sign in: firstname.lastname */
  readonly uid: string;
  readonly password: string;
  readonly number: number;
}

/**
 * Laptops bind with their device certificates, or with the keytab of their principal, and are mapped to their entries while these are not disabled: the two
 * lines of docs/operators.md.
 */
export const slapdConf = (dir: string): string => `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/hdb.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile ${dir}/slapd.pid
TLSCACertificateFile ${dir}/devices.pem
TLSCertificateFile ${dir}/server.crt
TLSCertificateKeyFile ${dir}/server.key
TLSVerifyClient try
sasl-host ${DC}
sasl-realm ${REALM}
disallow bind_anon
authz-regexp "^cn=([^,]+),ou=[^,]+,o=acme gmbh$" "ldap:///${DEVICES}??one?(&(cn=$1)(!(pwdAccountLockedTime=*)))"
authz-regexp "^uid=host/([0-9a-f-]+)\\\\.laptops\\\\.corp\\\\.example,cn=(corp\\\\.example,cn=)?gssapi,cn=auth$" "ldap:///${DEVICES}??one?(&(description=KiwiStack device $1)(!(pwdAccountLockedTime=*)))"
database mdb
suffix ${SUFFIX}
directory ${dir}/db
maxsize 16777216
overlay ppolicy
access to dn.subtree="${DEVICES}" by dn.exact="${BIND_DN}" manage by anonymous auth by * none
access to attrs=userPassword by anonymous auth by * none
access to * by dn.children="${DEVICES}" read by dn.exact="${IDENTITY.dn}" read by * none
`;

export const baseLdif = (secret: string, people: readonly Person[]): string => `dn: ${SUFFIX}
objectClass: dcObject
objectClass: organization
o: corp
dc: corp

dn: ${DEVICES}
objectClass: organizationalUnit
ou: devices

dn: ${BIND_DN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: kiwi
userPassword: ${secret}

dn: ${IDENTITY.dn}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: identity
userPassword: ${IDENTITY.password}

dn: cn=people,${SUFFIX}
objectClass: posixGroup
cn: people
gidNumber: 20000
${people.map(({ uid }) => `memberUid: ${uid}\n`).join('')}
${people.map(personLdif).join('\n')}`;

const personLdif = ({ uid, number }: Person): string => `dn: uid=${uid},${SUFFIX}
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: krb5Principal
krb5PrincipalName: ${uid}@${REALM}
uid: ${uid}
cn: ${uid}
sn: ${uid.replace(/^.*\./u, '')}
mail: ${uid}@corp.example
uidNumber: ${number}
gidNumber: 20000
homeDirectory: /home/${uid}
loginShell: /bin/bash
`;

/** What the slice may do, and nothing else: the two lines of docs/operators.md. */
export const kadmindAcl = `${ADMINISTRATOR} add,cpw,delete,get,get-keys,modify host/*.${HOSTS}@${REALM}
${ADMINISTRATOR} get default@${REALM}
`;

/** Of kdc, kadmind and the programs that ask them. */
export const krb5Conf = (dir: string, address: string, ports: { readonly kdc: number; readonly kadmin: number }) =>
  `[libdefaults]
 default_realm = ${REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 ${REALM} = {
  kdc = ${address}:${ports.kdc}
  admin_server = ${address}:${ports.kadmin}
 }
[domain_realm]
 .corp.example = ${REALM}
[kdc]
 database = {
  dbname = ${dir}/kdc/heimdal
  realm = ${REALM}
  mkey_file = ${dir}/kdc/m-key
  acl_file = ${dir}/kadmind.acl
  log_file = ${dir}/kdc/log
 }
 require-preauth = true
[logging]
 kdc = FILE:${dir}/kdc.log
 kadmind = FILE:${dir}/kadmind.log
 default = FILE:${dir}/krb5.log
`;
