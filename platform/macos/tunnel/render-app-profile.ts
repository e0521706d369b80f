import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';
import { splitEndpoint } from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { renderWgQuick } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { renderPlist } from '../plist.ts';

export const appProfileIdentifier = (tunnel: string): string => `io.kiwistack.profile.${tunnel}`;

/**
 * A configuration profile with a tunnel for WireGuard.app (Apple, "Device Management", `com.apple.vpn.managed`). It holds secrets.
 *
 * - No `DNS` in the configuration: the app would send every name to the tunnel. /etc/resolver is for these.
 * - The app refuses words of wg-quick(8) that it does not know (`PostUp`, `Table`); there are none.
 * - On demand, without a condition: the system brings it up whenever it is down.
 */
export function renderAppProfile(tunnel: string, config: TunnelConfig, endpoint: string): string {
  const name = `KiwiStack ${config.slug}`;
  const identifier = appProfileIdentifier(tunnel);
  const vpn = {
    PayloadType: 'com.apple.vpn.managed',
    PayloadVersion: 1,
    PayloadIdentifier: `${identifier}.vpn`,
    PayloadUUID: profileUuid(`${tunnel} WireGuard.app`).toUpperCase(),
    PayloadDisplayName: name,
    UserDefinedName: name,
    VPNType: 'VPN',
    VPNSubType: 'com.wireguard.macos',
    VendorConfig: { WgQuickConfig: renderWgQuick(config, { endpoint, resolvectl: undefined }) },
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
