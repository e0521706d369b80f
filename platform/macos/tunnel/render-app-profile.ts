import { splitEndpoint } from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { renderPlist } from '../plist.ts';
import { readParts } from './configure.ts';

export const appProfileIdentifier = (tunnel: string): string => `io.kiwistack.profile.${tunnel}`;

/** The tunnel's name in an identifier of ours. */
export const tunnelInIdentifier = (identifier: string): string | undefined =>
  /^io\.kiwistack\.profile\.(kiwi-[a-z0-9-]{1,10})$/u.exec(identifier)?.[1];

/**
 * A configuration profile with a tunnel for WireGuard.app (Apple, "Device Management", `com.apple.vpn.managed`). It holds secrets.
 *
 * - The configuration is the one that our daemon keeps (render-wg-quick.ts). It has no `DNS`: the app would send every name to the tunnel.
 *   /etc/resolver is for these.
 * - The app refuses words of wg-quick(8) that it does not know (`PostUp`, `Table`); there are none.
 * - On demand, without a condition: the system brings it up whenever it is down.
 *
 * @throws TypeError on a default route, or what is no configuration of ours
 */
export function renderAppProfile(tunnel: string, slug: string, configuration: string): string {
  const name = `KiwiStack ${slug}`;
  const identifier = appProfileIdentifier(tunnel);
  // It is refused here too what is refused where it was written.
  readParts(configuration);
  const endpoint = /^Endpoint = (.*)$/mu.exec(configuration)?.[1] ?? '';
  const vpn = {
    PayloadType: 'com.apple.vpn.managed',
    PayloadVersion: 1,
    PayloadIdentifier: `${identifier}.vpn`,
    PayloadUUID: profileUuid(`${tunnel} WireGuard.app`).toUpperCase(),
    PayloadDisplayName: name,
    UserDefinedName: name,
    VPNType: 'VPN',
    VPNSubType: 'com.wireguard.macos',
    VendorConfig: { WgQuickConfig: configuration },
    VPN: {
      RemoteAddress: splitEndpoint(endpoint).host,
      AuthenticationMethod: 'Password',
      OnDemandEnabled: 1,
      OnDemandRules: [{ Action: 'Connect' }],
    },
  };
  return renderPlist({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: identifier,
    PayloadUUID: profileUuid(`${tunnel} profile`).toUpperCase(),
    PayloadDisplayName: name,
    PayloadDescription:
      'Connects this Mac with the network of your organisation. It does not change where other connections go.',
    PayloadOrganization: 'KiwiStack',
    PayloadScope: 'System',
    PayloadRemovalDisallowed: false,
    // A Mac: others are told that it is not for them.
    TargetDeviceType: 5,
    PayloadContent: [vpn],
  });
}
