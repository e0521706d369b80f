/* Drives the watcher's parts for tunnel-watcher.test.ts: decisions by a script on stdin, and parsers with hostile input. */
#include "watch.h"

#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- decisions ------------------------------------------------------------------------------------------------------ */

/* A line is a verb, a time, and numbers; the answer to `decide` is a word, the one to `wait` a number. */
static int decisions(void) {
  struct judge judge;
  struct network network = {.tunnel_count = 1, .tunnels = {{.name = "kiwi-acme", .index = 7}}};
  char verb[16], line[256];
  judge_begin(&judge);
  judge_tunnels(&judge, &network);
  while (fgets(line, sizeof line, stdin) != NULL) {
    long long now, received_bytes = 0, sent = 0, handshake = 0;
    if (sscanf(line, "%15s %lld %lld %lld %lld", verb, &now, &received_bytes, &sent, &handshake) < 2) return 2;
    if (strcmp(verb, "traffic") == 0) {
      struct traffic traffic = {(uint64_t)received_bytes, (uint64_t)sent, handshake, true};
      judge_traffic(&judge, 0, &traffic, now);
    } else if (strcmp(verb, "event") == 0) {
      judge_event(&judge, (enum reason)received_bytes, now);
    } else if (strcmp(verb, "ended") == 0) {
      judge_ended(&judge, now);
    } else if (strcmp(verb, "decide") == 0) {
      (void)printf("%s\n", REASON_WORDS[judge_decide(&judge, now)]);
    } else if (strcmp(verb, "wait") == 0) {
      (void)printf("%lld\n", (long long)judge_wait(&judge, now));
    } else {
      return 2;
    }
  }
  return 0;
}

/* --- messages ------------------------------------------------------------------------------------------------------- */

struct message {
  unsigned char bytes[1024];
  size_t length;
};

static void put(struct message *message, const void *data, size_t length) {
  memcpy(message->bytes + message->length, data, length);
  message->length += length;
  while (message->length % 4 != 0) message->bytes[message->length++] = 0;
}

static size_t open_attribute(struct message *message, uint16_t type) {
  struct nlattr header = {.nla_type = type};
  size_t at = message->length;
  put(message, &header, sizeof header);
  return at;
}

static void close_attribute(struct message *message, size_t at, size_t length) {
  uint16_t whole = (uint16_t)length;
  memcpy(message->bytes + at, &whole, sizeof whole);
}

static void attribute(struct message *message, uint16_t type, const void *data, size_t length) {
  size_t at = open_attribute(message, type);
  put(message, data, length);
  close_attribute(message, at, sizeof(struct nlattr) + length);
}

static struct message link_message(const char *name, const char *kind, int index) {
  struct message message = {.length = 0};
  struct ifinfomsg header = {.ifi_index = index, .ifi_flags = IFF_UP | IFF_RUNNING};
  size_t info;
  put(&message, &header, sizeof header);
  attribute(&message, IFLA_IFNAME, name, strlen(name) + 1);
  info = open_attribute(&message, IFLA_LINKINFO | NLA_F_NESTED);
  attribute(&message, IFLA_INFO_KIND, kind, strlen(kind));
  close_attribute(&message, info, message.length - info);
  return message;
}

static struct message address_message(unsigned index, unsigned char last, unsigned char scope) {
  struct message message = {.length = 0};
  struct ifaddrmsg header = {.ifa_family = 2, .ifa_prefixlen = 24, .ifa_scope = scope, .ifa_index = index};
  unsigned char address[4] = {192, 0, 2, last};
  struct ifa_cacheinfo lifetimes = {.ifa_valid = (uint32_t)rand()};
  put(&message, &header, sizeof header);
  attribute(&message, IFA_ADDRESS, address, sizeof address);
  attribute(&message, IFA_LOCAL, address, sizeof address);
  attribute(&message, IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
  return message;
}

static struct message route_message(uint32_t index, unsigned char gateway) {
  struct message message = {.length = 0};
  struct rtmsg header = {.rtm_family = 2, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
  unsigned char address[4] = {192, 0, 2, gateway};
  put(&message, &header, sizeof header);
  attribute(&message, RTA_GATEWAY, address, sizeof address);
  attribute(&message, RTA_OIF, &index, sizeof index);
  return message;
}

static struct message device_message(uint64_t received_bytes, uint64_t sent) {
  struct message message = {.length = 0};
  struct genlmsghdr header = {.cmd = WG_CMD_GET_DEVICE, .version = 1};
  unsigned char key[32] = {1, 2, 3};
  int64_t handshake[2] = {1700000000, 5};
  uint16_t keepalive = 25;
  size_t peers, peer;
  put(&message, &header, sizeof header);
  attribute(&message, WGDEVICE_A_PRIVATE_KEY, key, sizeof key);
  peers = open_attribute(&message, WGDEVICE_A_PEERS | NLA_F_NESTED);
  for (int i = 0; i < 2; i++) {
    peer = open_attribute(&message, NLA_F_NESTED);
    attribute(&message, WGPEER_A_PUBLIC_KEY, key, sizeof key);
    attribute(&message, WGPEER_A_PRESHARED_KEY, key, sizeof key);
    attribute(&message, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &keepalive, sizeof keepalive);
    attribute(&message, WGPEER_A_LAST_HANDSHAKE_TIME, handshake, sizeof handshake);
    attribute(&message, WGPEER_A_RX_BYTES, &received_bytes, sizeof received_bytes);
    attribute(&message, WGPEER_A_TX_BYTES, &sent, sizeof sent);
    close_attribute(&message, peer, message.length - peer);
  }
  close_attribute(&message, peers, message.length - peers);
  return message;
}

static const char UAPI[] = "private_key=00ff\nlisten_port=1\npublic_key=aa\npreshared_key=bb\nendpoint=192.0.2.1:51820\n"
                           "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=456\nrx_bytes=123\n"
                           "persistent_keepalive_interval=25\nallowed_ip=10.77.0.0/24\nprotocol_version=1\nerrno=0\n\n";

static char *NAMES[] = {"kiwi-*"};
static const struct patterns PATTERNS = {NAMES, 1};

static void say_network(const struct message *messages, const uint16_t *types, size_t count) {
  struct network network;
  struct network_reading *reading = test_reading(PATTERNS, &network);
  for (size_t i = 0; i < count; i++) {
    take_network_message(types[i], (struct span){messages[i].bytes, messages[i].length}, reading);
  }
  (void)printf("%016llx", (unsigned long long)network.digest);
  for (size_t i = 0; i < network.tunnel_count; i++) {
    (void)printf(" %s %s", network.tunnels[i].name, network.tunnels[i].in_kernel ? "kernel" : "program");
  }
  (void)printf("\n");
}

/* What is read of messages as the kernel sends them. The lines are compared with each other by the test. */
static int readings(void) {
  static const uint16_t LINKS[] = {RTM_NEWLINK, RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWADDR, RTM_NEWROUTE};
  static const uint16_t OTHER[] = {RTM_NEWLINK, RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWADDR};
  struct message wifi = link_message("wlan0", "none", 2), tunnel = link_message("kiwi-acme", "wireguard", 7);
  struct message tun = link_message("kiwi-acme", "tun", 7);
  struct message here[] = {wifi, tunnel, address_message(2, 5, 0), route_message(2, 1)};
  struct message same[] = {wifi, tun, route_message(2, 1), address_message(2, 5, 0)};
  struct message more[] = {wifi, tunnel, here[2], here[3], address_message(7, 9, 0), route_message(7, 1)};
  struct message local[] = {wifi, tunnel, here[2], here[3], address_message(2, 9, RT_SCOPE_LINK)};
  struct message moved[] = {wifi, tunnel, address_message(2, 6, 0), route_message(2, 1)};
  struct message routed[] = {wifi, tunnel, here[2], route_message(2, 3)};
  struct message device = device_message(123, 456);
  struct traffic traffic = {0}, spoken = {0};
  say_network(here, LINKS, 4);
  say_network(same, OTHER, 4);
  say_network(more, LINKS, 6);
  say_network(local, LINKS, 5);
  say_network(moved, LINKS, 4);
  say_network(routed, LINKS, 4);
  take_device(0x20, (struct span){device.bytes, device.length}, &traffic);
  (void)printf("%llu %llu %lld %d\n", (unsigned long long)traffic.received, (unsigned long long)traffic.sent,
               (long long)traffic.handshake, traffic.keepalive);
  if (!read_uapi((struct span){(const unsigned char *)UAPI, sizeof UAPI - 1}, &spoken)) return 1;
  (void)printf("%llu %llu %lld %d\n", (unsigned long long)spoken.received, (unsigned long long)spoken.sent,
               (long long)spoken.handshake, spoken.keepalive);
  return 0;
}

/* Hands a copy of exactly this size to `use`, so that the sanitizer sees each byte that is read beyond. */
static void exactly(const struct message *message, void (*use)(struct span)) {
  unsigned char *copy = malloc(message->length == 0 ? 1 : message->length);
  if (copy == NULL) exit(3);
  memcpy(copy, message->bytes, message->length);
  use((struct span){copy, message->length});
  free(copy);
}

static void use_network(struct span span) {
  static const uint16_t TYPES[] = {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE};
  struct network network;
  struct network_reading *reading = test_reading(PATTERNS, &network);
  for (size_t i = 0; i < 3; i++) take_network_message(TYPES[i], span, reading);
}

static void use_generic(struct span span) {
  struct traffic traffic = {0};
  uint16_t family = 0;
  take_device(0x20, span, &traffic);
  take_family(GENL_ID_CTRL, span, &family);
}

static void use_text(struct span span) {
  struct traffic traffic = {0};
  (void)read_uapi(span, &traffic);
}

static void use_messages(struct span span) {
  uint16_t type;
  uint32_t sequence;
  struct span payload;
  while (next_message(&span, &type, &sequence, &payload)) {
    use_network(payload);
    use_generic(payload);
  }
}

static int hostile(unsigned seed, long rounds) {
  srand(seed);
  for (long round = 0; round < rounds; round++) {
    struct message whole = {.length = 0};
    struct message made[] = {link_message("kiwi-acme", "wireguard", 7), address_message(2, 5, 0), route_message(2, 1),
                             device_message(1, 2), {.length = 0}, {.length = 0}};
    struct message *message;
    struct nlmsghdr header = {.nlmsg_type = RTM_NEWLINK};
    put(&made[4], UAPI, sizeof UAPI - 1);
    made[4].length = sizeof UAPI - 1;
    header.nlmsg_len = (uint32_t)(sizeof header + made[0].length);
    put(&whole, &header, sizeof header);
    put(&whole, made[0].bytes, made[0].length);
    made[5] = whole;
    message = &made[rand() % 6];
    for (int changes = rand() % 6; changes >= 0 && message->length > 0; changes--) {
      size_t at = (size_t)rand() % message->length;
      switch (rand() % 4) {
        case 0: message->bytes[at] = (unsigned char)rand(); break;
        case 1: message->bytes[at] ^= (unsigned char)(1 << rand() % 8); break;
        case 2: message->bytes[at] = rand() % 2 == 0 ? 0 : 0xff; break;
        default: message->length = at; break;
      }
    }
    exactly(message, use_network);
    exactly(message, use_generic);
    exactly(message, use_text);
    exactly(message, use_messages);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "decisions") == 0) return decisions();
  if (argc == 2 && strcmp(argv[1], "readings") == 0) return readings();
  if (argc == 4 && strcmp(argv[1], "hostile") == 0) return hostile((unsigned)atol(argv[2]), atol(argv[3]));
  return 2;
}
