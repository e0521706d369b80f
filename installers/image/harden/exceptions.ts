/** Rules that an image does not follow, and why. */
export const EXCEPTIONS: readonly { readonly why: string; readonly rules: readonly string[] }[] = [
  {
    why: 'The packet filter is nftables: the guide asks for the rules of three that exclude each other.',
    rules: [
      ...['package_ufw_installed', 'service_ufw_enabled', 'set_ufw_loopback_traffic', 'set_ufw_default_rule'],
      ...['ufw_rules_for_open_ports', 'package_iptables-persistent_installed', 'package_iptables_installed'],
      ...['service_nftables_disabled', 'set_iptables_default_rule', 'set_loopback_traffic'],
      ...['iptables_rules_for_open_ports', 'set_ip6tables_default_rule', 'set_ipv6_loopback_traffic'],
      'ip6tables_rules_for_open_ports',
    ],
  },
  {
    why: 'The clock is set by systemd-timesyncd: the guide asks for the rules of two that exclude each other.',
    rules: [
      ...['package_chrony_installed', 'service_chronyd_enabled', 'chronyd_configure_pool_and_server'],
      ...['chronyd_run_as_chrony_user', 'service_timesyncd_disabled'],
    ],
  },
  {
    why: 'The journal keeps the log: the guide asks for the rules of two that exclude each other.',
    rules: [
      ...['package_rsyslog_installed', 'service_rsyslog_enabled', 'journald_forward_to_syslog'],
      ...['rsyslog_filecreatemode', 'rsyslog_nolisten'],
    ],
  },
  {
    why: 'Where logs are sent is of one customer, and an image is of none.',
    rules: [
      ...['package_systemd-journal-remote_installed', 'systemd_journal_upload_server_tls'],
      ...['systemd_journal_upload_url', 'service_systemd-journal-upload_enabled'],
    ],
  },
  {
    why: 'A password of the boot loader would be the same on every laptop of the image, and in it.',
    rules: ['grub2_password', 'grub2_uefi_password'],
  },
  {
    why: "A list of an image's files does not fit a laptop that has started once: it has to be made there, and anew after each update.",
    rules: ['package_aide_installed', 'aide_build_database', 'aide_periodic_checking_systemd_timer'],
  },
  {
    why: 'Only a running system can be asked, with its own kernel: the image is not running, and the test asks a laptop made of it.',
    rules: [
      ...['service_nftables_enabled', 'service_systemd-journald_enabled', 'service_timesyncd_enabled'],
      ...['firewall_single_service_active', 'logging_services_active', 'ntp_single_service_active'],
      ...['socket_systemd-journal-remote_disabled', 'set_nftables_base_chain', 'sysctl_kernel_yama_ptrace_scope'],
      'all_apparmor_profiles_in_enforce_complain_mode',
    ],
  },
  {
    why: 'There is no SSH server in the image.',
    rules: ['sshd_limit_user_access'],
  },
  {
    why: 'What runs regularly is started by systemd.',
    rules: ['package_cron_installed', 'service_cron_enabled', 'file_cron_allow_exists'],
  },
];

/** Why a rule is not followed; nothing when nobody has looked at it. */
export function reasonFor(rule: string): { readonly why?: string } {
  const found = EXCEPTIONS.find(({ rules }) => rules.includes(rule));
  return found === undefined ? {} : { why: found.why };
}
