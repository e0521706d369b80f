/**
 * Keys of profiles as Apple publishes them (github.com/apple/device-management, mdm/profiles: TopLevel, CommonPayloadKeys and com.apple.vpn.managed,
 * November 2026), those that a profile of ours may have: type, whether it must be there, and its values where they are listed.
 */
interface Key {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'dictionary';
  readonly required?: true;
  readonly values?: readonly (string | number)[];
  readonly keys?: Readonly<Record<string, Key>>;
}
type Keys = Readonly<Record<string, Key>>;

const text = { type: 'string' } as const;
const mustText = { type: 'string', required: true } as const;

const payload: Keys = {
  PayloadType: { ...mustText, values: ['com.apple.vpn.managed'] },
  PayloadVersion: { type: 'integer', required: true, values: [1] },
  PayloadIdentifier: mustText,
  PayloadUUID: mustText,
  PayloadDisplayName: text,
  UserDefinedName: mustText,
  VPNType: { ...mustText, values: ['VPN', 'L2TP', 'IPSec', 'IKEv2', 'AlwaysOn', 'TransparentProxy'] },
  VPNSubType: mustText,
  // A vendor's own keys are the vendor's: WireGuard.app reads this one (its MOBILECONFIG.md).
  VendorConfig: { type: 'dictionary', required: true, keys: { WgQuickConfig: mustText } },
  VPN: {
    type: 'dictionary',
    required: true,
    keys: {
      RemoteAddress: mustText,
      AuthenticationMethod: { ...text, values: ['Password', 'Certificate', 'Password+Certificate'] },
      OnDemandEnabled: { type: 'integer', values: [0, 1] },
      OnDemandRules: {
        type: 'array',
        keys: {
          Action: { ...mustText, values: ['Allow', 'Connect', 'Disconnect', 'EvaluateConnection', 'Ignore'] },
        },
      },
    },
  },
};

export const PROFILE: Keys = {
  PayloadType: { ...mustText, values: ['Configuration'] },
  PayloadVersion: { type: 'integer', required: true, values: [1] },
  PayloadIdentifier: mustText,
  PayloadUUID: mustText,
  PayloadDisplayName: text,
  PayloadDescription: text,
  PayloadOrganization: text,
  PayloadScope: { ...text, values: ['System', 'User'] },
  PayloadRemovalDisallowed: { type: 'boolean' },
  TargetDeviceType: { type: 'integer', values: [0, 1, 2, 3, 4, 5] },
  PayloadContent: { type: 'array', required: true, keys: payload },
};

/** Says what is wrong in a dictionary, one sentence each. */
export function keyFaults(value: unknown, keys: Keys, where = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${where}: not a dictionary`];
  const entries = new Map(Object.entries(value) as [string, unknown][]);
  const unknown = [...entries.keys()]
    .filter((name) => keys[name] === undefined)
    .map((name) => `${where}${name}: unknown`);
  const faults = Object.entries(keys).flatMap(([name, key]): string[] => {
    const found = entries.get(name);
    if (found === undefined) return key.required === true ? [`${where}${name}: missing`] : [];
    if (typeOf(found) !== key.type) return [`${where}${name}: not of type ${key.type}`];
    if (key.values?.includes(found as string | number) === false) return [`${where}${name}: not one of its values`];
    if (key.keys === undefined) return [];
    const inner = key.keys;
    return [found].flat().flatMap((one) => keyFaults(one, inner, `${where}${name}.`));
  });
  return [...unknown, ...faults];
}

function typeOf(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'real';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'object' ? 'dictionary' : typeof value;
}
