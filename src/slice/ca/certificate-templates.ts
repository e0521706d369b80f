import { EKU } from '../../pki/roles.ts';

/**
 * step-ca templates (Go text/template with sprig). Missing claims would silently render as empty strings, so each
 * template first refuses anything but a map of non-empty strings (`fail` becomes a 400). The key is the only thing
 * taken from the request: `.Insecure.CR` appears only as PublicKey.
 */

const requireClaims = (claim: string, names: readonly string[]): string =>
  [
    `{{- if not (kindIs "map" .Token.${claim}) }}{{ fail "claim ${claim} is missing" }}{{ end -}}`,
    ...names.map(
      (name) =>
        `{{- if not (kindIs "string" .Token.${claim}.${name}) }}{{ fail "claim ${claim}.${name} is missing" }}{{ end -}}` +
        `{{- if eq "" (trim .Token.${claim}.${name}) }}{{ fail "claim ${claim}.${name} is empty" }}{{ end -}}`,
    ),
  ].join('\n');

/**
 * Certificate of a laptop: CN, OU, O and URI come from the gateway's token; P-256 only, clientAuth only. The host name is
 * no DNS name: it is a single label, which the intermediate's name constraints could permit only together with all others.
 */
export function deviceTemplate(crlUrl: string): string {
  return `${requireClaims('device', ['host', 'role', 'customer', 'uri'])}
{{- if ne .Token.device.host .Subject.CommonName }}{{ fail "host is not the subject" }}{{ end -}}
{{- if not (typeIs "*ecdsa.PublicKey" .Insecure.CR.PublicKey) }}{{ fail "not an EC key" }}{{ end -}}
{{- if ne "P-256" .Insecure.CR.PublicKey.Params.Name }}{{ fail "not a P-256 key" }}{{ end -}}
{
  "subject": {
    "commonName": {{ toJson .Token.device.host }},
    "organizationalUnit": {{ toJson .Token.device.role }},
    "organization": {{ toJson .Token.device.customer }}
  },
  "uris": [{{ toJson .Token.device.uri }}],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"],
  "crlDistributionPoints": [${JSON.stringify(crlUrl)}]
}
`;
}

/**
 * What provisioner `yubikey` issues: the certificate of an operator's key where its token says so, otherwise that of a key which enrolls
 * laptops. One key is behind both, because whoever may hand out enrollment keys may make themselves an operator in any case.
 */
export function yubikeyTemplate(crlUrl: string): string {
  return `{{- if hasKey .Token "operator" }}
${operatorTemplate(crlUrl)}{{- else }}
${enrollmentTemplate(crlUrl)}{{- end }}
`;
}

/** Certificate on an operator's YubiKey: who it is, the role as OU, the customer. */
function operatorTemplate(crlUrl: string): string {
  return `${requireClaims('operator', ['subject', 'role', 'customer', 'uri'])}
{{- if ne .Token.operator.subject .Subject.CommonName }}{{ fail "operator is not the subject" }}{{ end -}}
{{- if not (typeIs "*ecdsa.PublicKey" .Insecure.CR.PublicKey) }}{{ fail "not an EC key" }}{{ end -}}
{{- if ne "P-256" .Insecure.CR.PublicKey.Params.Name }}{{ fail "not a P-256 key" }}{{ end -}}
{
  "subject": {
    "commonName": {{ toJson .Subject.CommonName }},
    "organizationalUnit": {{ toJson .Token.operator.role }},
    "organization": {{ toJson .Token.operator.customer }}
  },
  "uris": [{{ toJson .Token.operator.uri }}],
  "keyUsage": ["digitalSignature"],
  "unknownExtKeyUsage": [${JSON.stringify(EKU.operatorKey)}],
  "crlDistributionPoints": [${JSON.stringify(crlUrl)}]
}
`;
}

/**
 * Certificate on a YubiKey: names the customer and the gateway, so that staff need not type them. EC or RSA, depending
 * on the YubiKey.
 */
function enrollmentTemplate(crlUrl: string): string {
  return `${requireClaims('yubikey', ['serial', 'role', 'customer', 'uri', 'gateway'])}
{{- if ne (print "KiwiStack enrollment " .Token.yubikey.serial) .Subject.CommonName }}{{ fail "serial is not the subject" }}{{ end -}}
{{- if not (or (typeIs "*ecdsa.PublicKey" .Insecure.CR.PublicKey) (typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey)) }}{{ fail "not an EC or RSA key" }}{{ end -}}
{
  "subject": {
    "commonName": {{ toJson .Subject.CommonName }},
    "organizationalUnit": {{ toJson .Token.yubikey.role }},
    "organization": {{ toJson .Token.yubikey.customer }}
  },
  "uris": [{{ toJson .Token.yubikey.uri }}, {{ toJson .Token.yubikey.gateway }}],
  "keyUsage": ["digitalSignature"],
  "unknownExtKeyUsage": [${JSON.stringify(EKU.enrollmentKey)}],
  "crlDistributionPoints": [${JSON.stringify(crlUrl)}]
}
`;
}
