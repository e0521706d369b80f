/* Links, addresses and routes (rtnetlink(7)), reduced to which tunnels there are and a digest of everything else. */
#include "watch.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* More than this many links of a laptop are containers. */
#define MAX_CONNECTED 128

struct network_reading {
  struct patterns patterns;
  struct network *network;
  /* Indexes of the links that are connected to something. */
  uint32_t running[MAX_CONNECTED];
  size_t running_count;
};

bool is_pattern(const char *text) {
  size_t length = strlen(text);
  if (length > 0 && text[length - 1] == '*') length--;
  if (length == 0 || length >= IFNAMSIZ) return false;
  return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-") >= length;
}

static bool matches(struct patterns patterns, const char *name) {
  for (size_t i = 0; i < patterns.count; i++) {
    const char *pattern = patterns.names[i];
    size_t length = strlen(pattern);
    bool prefix = pattern[length - 1] == '*';
    if (prefix ? strncmp(pattern, name, length - 1) == 0 : strcmp(pattern, name) == 0) return true;
  }
  return false;
}

static bool is_tunnel(const struct network *network, uint32_t index) {
  for (size_t i = 0; i < network->tunnel_count; i++) {
    if (network->tunnels[i].index == index) return true;
  }
  return false;
}

static bool is_running(const struct network_reading *reading, uint32_t index) {
  for (size_t i = 0; i < reading->running_count; i++) {
    if (reading->running[i] == index) return true;
  }
  return false;
}

/* FNV-1a over 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t mix(uint64_t hash, const void *data, size_t length) {
  const unsigned char *byte = data;
  for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
  return hash;
}
#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)

/* The sum of the hashes does not depend on the order in which the kernel tells them. */
static void add(struct network *network, uint64_t hash) { network->digest += hash ^ (hash >> 29); }

static void take_link(struct network_reading *reading, struct span payload) {
  struct ifinfomsg header;
  struct attribute attribute;
  struct tunnel_link link = {0};
  struct network *network = reading->network;
  struct span rest = after_header(payload, sizeof header);
  if (payload.length < sizeof header) return;
  memcpy(&header, payload.data, sizeof header);
  while (next_attribute(&rest, &attribute)) {
    struct attribute inner;
    if (attribute.type == IFLA_IFNAME && !span_name(attribute.value, link.name)) return;
    if (attribute.type != IFLA_LINKINFO) continue;
    while (next_attribute(&attribute.value, &inner)) {
      if (inner.type != IFLA_INFO_KIND || inner.value.length < sizeof "wireguard" - 1) continue;
      link.in_kernel = memcmp(inner.value.data, "wireguard", sizeof "wireguard" - 1) == 0;
    }
  }
  link.index = (uint32_t)header.ifi_index;
  if (link.name[0] != 0 && matches(reading->patterns, link.name)) {
    if (network->tunnel_count < MAX_TUNNELS) network->tunnels[network->tunnel_count++] = link;
  } else if ((header.ifi_flags & IFF_RUNNING) != 0 && reading->running_count < MAX_CONNECTED) {
    reading->running[reading->running_count++] = link.index;
  }
}

static void take_address(struct network_reading *reading, struct span payload) {
  struct ifaddrmsg header;
  struct attribute attribute;
  struct span address = {NULL, 0};
  struct span rest = after_header(payload, sizeof header);
  uint64_t hash = FNV_OFFSET;
  bool running;
  if (payload.length < sizeof header) return;
  memcpy(&header, payload.data, sizeof header);
  /* Addresses of the link and of the machine itself lead nowhere; one that is still being checked cannot be used. */
  if (header.ifa_scope >= RT_SCOPE_LINK || (header.ifa_flags & IFA_F_TENTATIVE) != 0) return;
  if (is_tunnel(reading->network, header.ifa_index)) return;
  while (next_attribute(&rest, &attribute)) {
    if (attribute.type == IFA_LOCAL || (attribute.type == IFA_ADDRESS && address.data == NULL)) address = attribute.value;
  }
  running = is_running(reading, header.ifa_index);
  hash = mix(hash, &header.ifa_family, sizeof header.ifa_family);
  hash = mix(hash, &header.ifa_prefixlen, sizeof header.ifa_prefixlen);
  hash = mix(hash, &header.ifa_index, sizeof header.ifa_index);
  hash = mix(hash, &running, sizeof running);
  if (address.data != NULL) hash = mix(hash, address.data, address.length);
  add(reading->network, hash);
}

static void take_route(struct network_reading *reading, struct span payload) {
  struct rtmsg header;
  struct attribute attribute;
  struct span rest = after_header(payload, sizeof header);
  uint64_t hash = FNV_OFFSET;
  if (payload.length < sizeof header) return;
  memcpy(&header, payload.data, sizeof header);
  /* A route to a link is what its address says already. */
  if (header.rtm_type != RTN_UNICAST || header.rtm_table == RT_TABLE_LOCAL || header.rtm_scope != RT_SCOPE_UNIVERSE) return;
  if ((header.rtm_flags & RTM_F_CLONED) != 0) return;
  hash = mix(hash, &header.rtm_family, sizeof header.rtm_family);
  hash = mix(hash, &header.rtm_dst_len, sizeof header.rtm_dst_len);
  while (next_attribute(&rest, &attribute)) {
    if (attribute.type == RTA_OIF && is_tunnel(reading->network, span_u32(attribute.value))) return;
    switch (attribute.type) {
      case RTA_DST:
      case RTA_GATEWAY:
      case RTA_OIF:
      case RTA_PRIORITY:
      case RTA_TABLE:
        hash = mix(hash, &attribute.type, sizeof attribute.type);
        hash = mix(hash, attribute.value.data, attribute.value.length);
        break;
      default:
        break;
    }
  }
  add(reading->network, hash);
}

void take_network_message(uint16_t type, struct span payload, void *context) {
  struct network_reading *reading = context;
  if (type == RTM_NEWLINK) take_link(reading, payload);
  if (type == RTM_NEWADDR) take_address(reading, payload);
  if (type == RTM_NEWROUTE) take_route(reading, payload);
}

struct network_reading *test_reading(struct patterns patterns, struct network *network) {
  static struct network_reading reading;
  memset(&reading, 0, sizeof reading);
  memset(network, 0, sizeof *network);
  reading.patterns = patterns;
  reading.network = network;
  return &reading;
}

bool read_network(int route_fd, struct patterns patterns, struct network *network) {
  /* Links first: what belongs to a tunnel must be known. */
  static const uint16_t DUMPS[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
  struct network_reading *reading = test_reading(patterns, network);
  for (size_t i = 0; i < sizeof DUMPS / sizeof DUMPS[0]; i++) {
    struct {
      struct nlmsghdr header;
      struct rtmsg body; /* as large as the others' beginning that matters: only the family, which is none */
      unsigned char rest[4];
    } request = {0};
    request.header.nlmsg_type = DUMPS[i];
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    if (!ask_kernel(route_fd, &request, sizeof request, take_network_message, reading)) return false;
  }
  return true;
}
