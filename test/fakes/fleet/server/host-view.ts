import type { Host } from './host-store.ts';

/** A host not seen by osquery for so long is offline. Orbit's requests do not count. */
const ONLINE_WINDOW_MS = 60_000;

/** A host as the REST API answers it. */
export function hostView(host: Host): Record<string, unknown> {
  return {
    created_at: host.createdAt,
    updated_at: host.updatedAt,
    id: host.id,
    detail_updated_at: host.detailUpdatedAt,
    last_restarted_at: '0001-01-01T00:00:00Z',
    label_updated_at: host.detailUpdatedAt,
    policy_updated_at: host.detailUpdatedAt,
    last_enrolled_at: host.lastEnrolledAt,
    seen_time: host.seenTime,
    refetch_requested: false,
    hostname: host.hostname,
    uuid: host.uuid,
    platform: host.platform,
    platform_like: host.platformLike,
    osquery_version: host.osqueryVersion,
    orbit_version: host.orbitVersion,
    fleet_desktop_version: null,
    scripts_enabled: null,
    os_version: host.osVersion,
    uptime: host.uptimeSeconds * 1_000_000_000,
    hardware_vendor: host.hardwareVendor,
    hardware_model: host.hardwareModel,
    hardware_serial: host.hardwareSerial,
    computer_name: host.computerName,
    display_name: host.computerName || host.hostname,
    display_text: host.hostname,
    public_ip: '',
    primary_ip: host.primaryIp,
    primary_mac: '',
    distributed_interval: 10,
    config_tls_refresh: 60,
    logger_tls_period: 10,
    team_id: null,
    team_name: null,
    status: Date.now() - Date.parse(host.seenTime) < ONLINE_WINDOW_MS ? 'online' : 'offline',
    mdm: {
      enrollment_status: null,
      server_url: null,
      name: '',
      device_status: host.deviceStatus,
      pending_action: host.pendingAction,
    },
  };
}
