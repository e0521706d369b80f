/* What goes through a tunnel: from the kernel's WireGuard, or from a program that has the interface. */
#include "watch.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/time_types.h>
#include <linux/wireguard.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct generic_request {
  struct nlmsghdr header;
  struct genlmsghdr generic;
  struct nlattr attribute;
  char name[IFNAMSIZ];
};

static struct generic_request name_request(uint16_t type, uint16_t flags, uint8_t command, uint16_t attribute) {
  struct generic_request request = {0};
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  request.generic.cmd = command;
  request.generic.version = 1;
  request.attribute.nla_type = attribute;
  request.attribute.nla_len = sizeof request.attribute + sizeof request.name;
  return request;
}

void take_family(uint16_t type, struct span payload, void *context) {
  uint16_t *family = context;
  struct span rest = after_header(payload, sizeof(struct genlmsghdr));
  struct attribute attribute;
  if (type != GENL_ID_CTRL) return;
  while (next_attribute(&rest, &attribute)) {
    if (attribute.type == CTRL_ATTR_FAMILY_ID) *family = span_u16(attribute.value);
  }
}

static void take_peer(struct span rest, struct traffic *traffic) {
  struct attribute attribute;
  while (next_attribute(&rest, &attribute)) {
    struct __kernel_timespec handshake;
    switch (attribute.type) {
      case WGPEER_A_RX_BYTES:
        traffic->received += span_u64(attribute.value);
        break;
      case WGPEER_A_TX_BYTES:
        traffic->sent += span_u64(attribute.value);
        break;
      case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
        traffic->keepalive = traffic->keepalive || span_u16(attribute.value) != 0;
        break;
      case WGPEER_A_LAST_HANDSHAKE_TIME:
        if (attribute.value.length != sizeof handshake) break;
        memcpy(&handshake, attribute.value.data, sizeof handshake);
        if (handshake.tv_sec > traffic->handshake) traffic->handshake = handshake.tv_sec;
        break;
      default:
        break;
    }
  }
}

void take_device(uint16_t type, struct span payload, void *context) {
  struct span rest = after_header(payload, sizeof(struct genlmsghdr));
  struct attribute attribute;
  (void)type;
  while (next_attribute(&rest, &attribute)) {
    struct attribute peer;
    if (attribute.type != WGDEVICE_A_PEERS) continue;
    while (next_attribute(&attribute.value, &peer)) take_peer(peer.value, context);
  }
}

static bool read_kernel(struct wireguard *wireguard, const struct tunnel_link *tunnel, struct traffic *traffic) {
  struct generic_request request;
  if (wireguard->generic_fd < 0) wireguard->generic_fd = open_netlink(NETLINK_GENERIC, 0);
  if (wireguard->generic_fd < 0) return false;
  if (wireguard->family == 0) {
    request = name_request(GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME);
    memcpy(request.name, WG_GENL_NAME, sizeof WG_GENL_NAME);
    if (!ask_kernel(wireguard->generic_fd, &request, sizeof request, take_family, &wireguard->family)) return false;
    if (wireguard->family == 0) return false;
  }
  request = name_request(wireguard->family, NLM_F_DUMP, WG_CMD_GET_DEVICE, WGDEVICE_A_IFNAME);
  memcpy(request.name, tunnel->name, sizeof request.name);
  return ask_kernel(wireguard->generic_fd, &request, sizeof request, take_device, traffic);
}

/* The decimal number after `key=`; false unless the line is exactly that. */
static bool line_number(struct span line, const char *key, uint64_t *number) {
  size_t length = strlen(key);
  if (line.length <= length || line.length > length + 19 || memcmp(line.data, key, length) != 0) return false;
  *number = 0;
  for (size_t i = length; i < line.length; i++) {
    if (line.data[i] < '0' || line.data[i] > '9') return false;
    *number = *number * 10 + (uint64_t)(line.data[i] - '0');
  }
  return true;
}

/* https://www.wireguard.com/xplatform/ */
bool read_uapi(struct span text, struct traffic *traffic) {
  while (text.length > 0) {
    const unsigned char *end = memchr(text.data, '\n', text.length);
    struct span line = {text.data, end == NULL ? text.length : (size_t)(end - text.data)};
    uint64_t number;
    if (end == NULL) return false; /* cut off */
    text.data += line.length + 1;
    text.length -= line.length + 1;
    if (line_number(line, "errno=", &number)) return number == 0;
    if (line_number(line, "rx_bytes=", &number)) traffic->received += number;
    if (line_number(line, "tx_bytes=", &number)) traffic->sent += number;
    if (line_number(line, "persistent_keepalive_interval=", &number) && number != 0) traffic->keepalive = true;
    if (line_number(line, "last_handshake_time_sec=", &number) && (int64_t)number > traffic->handshake) {
      traffic->handshake = (int64_t)number;
    }
  }
  return false;
}

static bool read_program(const struct tunnel_link *tunnel, struct traffic *traffic) {
  static const char GET[] = "get=1\n\n";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {.tv_sec = 0, .tv_usec = 200000};
  size_t length = 0;
  bool well = false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  (void)snprintf(address.sun_path, sizeof address.sun_path, "/run/wireguard/%s.sock", tunnel->name);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
      connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      send(fd, GET, sizeof GET - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof GET - 1)) {
    /* The answer ends with an empty line. */
    while (length < sizeof received && (length < 2 || memcmp(received + length - 2, "\n\n", 2) != 0)) {
      ssize_t got = recv(fd, received + length, sizeof received - length, 0);
      if (got <= 0) break;
      length += (size_t)got;
    }
    well = read_uapi((struct span){received, length}, traffic);
  }
  wipe_received(length);
  close(fd);
  return well;
}

bool read_traffic(struct wireguard *wireguard, const struct tunnel_link *tunnel, struct traffic *traffic) {
  memset(traffic, 0, sizeof *traffic);
  return tunnel->in_kernel ? read_kernel(wireguard, tunnel, traffic) : read_program(tunnel, traffic);
}
