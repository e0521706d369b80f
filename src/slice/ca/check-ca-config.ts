import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { EKU } from '../../pki/roles.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import { PROVISIONER_EXTENSION, provisionerName } from './provisioner-extension.ts';
import { crlDistributionPoint, PROVISIONER } from './render-ca-config.ts';

const claims = z.object({
  disableRenewal: z.literal(true),
  allowRenewalAfterExpiry: z.literal(false).optional(),
  enableSSHCA: z.literal(false).optional(),
});

/** The parts of a ca.json that matter here. */
export const caConfig = z.object({
  crl: z.object({ enabled: z.literal(true), idpURL: z.string() }),
  authority: z.object({
    enableAdmin: z.literal(false).optional(),
    claims,
    provisioners: z.array(
      z.object({
        type: z.literal('JWK'),
        name: z.string(),
        key: z.object({ kid: z.string() }),
        encryptedKey: z.undefined().optional(),
        claims,
        options: z.object({ x509: z.object({ template: z.string() }) }),
      }),
    ),
  }),
});

/**
 * Refuses a CA configuration that would let somebody else renew, rekey or obtain certificates under the customer's
 * intermediate: any provisioner other than our two with our keys, renewal not disabled, a template that takes more than
 * the key from a request, a CRL distribution point that differs from the one in the certificates, or a gateway
 * certificate that step-ca would renew.
 *
 * @throws KiwiError `slice-unsafe`, naming what is wrong
 */
export function checkCaConfig(text: string, config: SliceConfig, gateway: Certificate): void {
  const refuse = (why: string): never => {
    throw new KiwiError('slice-unsafe', { detail: why });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('ca.json is not JSON');
  }
  const parsed = caConfig.safeParse(value);
  if (!parsed.success) {
    return refuse(`ca.json: ${parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')}`);
  }
  const { authority, crl } = parsed.data;
  const expected = new Map<string, string>([
    [PROVISIONER.gateway, config.ca.gatewayKid],
    [PROVISIONER.yubikey, config.ca.yubikeyKid],
  ]);
  if (authority.provisioners.length !== expected.size) refuse('ca.json: provisioners other than gateway and yubikey');
  for (const { name, key, options } of authority.provisioners) {
    if (expected.get(name) !== key.kid) refuse(`ca.json: provisioner ${name} has another key`);
    const { template } = options.x509;
    if (/\.Insecure\.(?!CR\.PublicKey\b)/.test(template)) refuse(`ca.json: template of ${name} uses more than the key`);
    if (!template.includes(JSON.stringify(crl.idpURL))) refuse(`ca.json: template of ${name} names another CRL`);
    expected.delete(name);
  }
  if (expected.size > 0) refuse('ca.json: a provisioner is listed twice');
  if (crl.idpURL !== crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort })) {
    refuse('ca.json: crl.idpURL does not match slice.json');
  }
  const extension = gateway.extension(PROVISIONER_EXTENSION);
  if (extension === undefined || provisionerName(extension) !== PROVISIONER.yubikey) {
    refuse('the gateway certificate names no provisioner: step-ca would renew it');
  }
  if (gateway.extendedKeyUsages.join() !== EKU.gateway) refuse('the gateway certificate has another role');
}
