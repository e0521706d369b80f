import { createPrivateKey } from 'node:crypto';

import { notKnown, well } from '../../checks/check.ts';
import { KiwiError } from '../../core/errors.ts';
import { publicJwk } from '../../pki/keys.ts';
import { runProgram } from '../../programs/run-program.ts';
import { checkCaConfig } from '../ca/check-ca-config.ts';
import { fetchCrl } from '../ca/fetch-crl.ts';
import { renderCaConfig } from '../ca/render-ca-config.ts';
import { findStepCa } from '../ca/step-ca-binary.ts';
import { readPart } from '../config/slice-identity.ts';
import { unwell, whileRunning, type SliceCheck } from './slice-facts.ts';

const RESTORE = 'Put back the ca.json that `kiwistack-slice init` wrote, from a backup, while the slice is stopped.';
const OPENSSL = '/usr/bin/openssl';

export const program: SliceCheck = {
  code: 'step-ca-program',
  severity: 'failure',
  what: 'step-ca 0.30 is on this machine.',
  matters: 'The slice does not start.',
  dependsOn: [],
  run: async ({ env }) => well(await findStepCa(env)),
};

export const safe: SliceCheck = {
  code: 'step-ca-safe',
  severity: 'failure',
  what: 'step-ca issues nothing but what the slice asks for.',
  matters: 'The slice does not start: others could renew or change certificates.',
  dependsOn: [],
  async run({ paths, config, identity }) {
    const text = (await readPart(paths.ca.config, true)).toString('utf8');
    try {
      checkCaConfig(text, config, identity.grantCertificate);
      return well('two provisioners, no renewal, CRL on');
    } catch (error) {
      if (error instanceof KiwiError && error.code === 'slice-unsafe') return unwell(error.detail ?? '', RESTORE);
      throw error;
    }
  },
};

export const settings: SliceCheck = {
  code: 'step-ca-settings',
  severity: 'warning',
  what: "step-ca's settings are those that this version writes.",
  matters: 'It runs, but with settings that nobody has tested.',
  dependsOn: ['step-ca-safe'],
  async run({ paths, config }) {
    const text = (await readPart(paths.ca.config, true)).toString('utf8');
    const key = async (file: string) => publicJwk(createPrivateKey(await readPart(file, true)));
    const wanted = renderCaConfig({
      ...{ address: config.inside.address, port: config.ca.port, crlPort: config.ca.crlPort },
      gatewayKey: await key(paths.gateway.provisionerKey),
      yubikeyKey: await key(paths.operator.provisionerKey),
    });
    const differing = differences(JSON.parse(text), JSON.parse(wanted));
    return differing.length === 0
      ? well('ca.json as it was written')
      : unwell(`ca.json: ${differing.slice(0, 5).join(', ')}`, RESTORE);
  },
};

/** The fields in which two JSON values differ. */
function differences(one: unknown, other: unknown, at = ''): string[] {
  if (one === other) return [];
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return [at];
  const fields = new Set([...Object.keys(one), ...Object.keys(other)]);
  const of = (value: object, field: string): unknown => (value as Record<string, unknown>)[field];
  return [...fields].flatMap((field) =>
    differences(of(one, field), of(other, field), at === '' ? field : `${at}.${field}`),
  );
}

export const crl: SliceCheck = {
  code: 'crl',
  severity: 'failure',
  what: 'The list of revoked certificates is there, signed by the intermediate, and fresh.',
  matters: 'Servers inside either refuse every laptop, or let revoked ones in.',
  dependsOn: ['running'],
  run: (facts) =>
    whileRunning(facts, async () => {
      const { config, paths, clock } = facts;
      const bytes = await fetchCrl(config);
      if (bytes === undefined)
        return unwell('step-ca does not publish it', 'See ca/step-ca.log in the folder of the slice.');
      const args = ['crl', '-inform', 'DER', '-noout', '-nextupdate', '-CAfile', paths.ca.certificate];
      const said = await runProgram({ program: OPENSSL, args, input: bytes }).catch(() => undefined);
      if (said === undefined) return notKnown('openssl is not installed');
      const end = Date.parse(/nextUpdate=(.+)/u.exec(said.stdout.toString())?.[1] ?? '');
      if (!/verify OK/u.test(`${said.stdout.toString()}${said.stderr.toString()}`))
        return unwell('its signature is not by the intermediate', RESTORE);
      if (!(end > clock.now()))
        return unwell('its time is over', 'Restart the slice; see ca/step-ca.log if that does not help.');
      return well(`until ${new Date(end).toISOString()}`);
    }),
};
