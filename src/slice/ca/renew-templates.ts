import type { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import { caConfig } from './check-ca-config.ts';
import { deviceTemplate, yubikeyTemplate } from './certificate-templates.ts';
import { crlDistributionPoint, PROVISIONER, provisionerKey } from './render-ca-config.ts';

/** The keys of step-ca's two provisioners. */
export interface ProvisionerKeys {
  readonly gateway: P256Jwk;
  readonly yubikey: P256Jwk;
}

/**
 * The text of a ca.json with the templates of this version, perhaps with other provisioners' keys, and everything else
 * unchanged. Earlier templates wrote the
 * host name of a laptop as a DNS name, which an intermediate with name constraints may not certify.
 *
 * @throws KiwiError `slice-unsafe`
 */
export function renewTemplates(text: string, config: SliceConfig, keys?: ProvisionerKeys): string {
  const crlUrl = crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort });
  const templates = new Map<string, string>([
    [PROVISIONER.gateway, deviceTemplate(crlUrl)],
    [PROVISIONER.yubikey, yubikeyTemplate(crlUrl)],
  ]);
  const renewed: unknown = JSON.parse(text);
  if (!caConfig.safeParse(renewed).success) throw new KiwiError('slice-unsafe', { detail: 'ca.json' });
  // Changed in place: what the schema does not name has to stay.
  for (const provisioner of (renewed as z.infer<typeof caConfig>).authority.provisioners) {
    const { name, options } = provisioner;
    options.x509.template = templates.get(name) ?? options.x509.template;
    const key = name === PROVISIONER.gateway ? keys?.gateway : keys?.yubikey;
    if (key !== undefined) provisioner.key = provisionerKey(key);
  }
  return `${JSON.stringify(renewed, null, 2)}\n`;
}
