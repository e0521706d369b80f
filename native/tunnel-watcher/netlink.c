/* Netlink messages (netlink(7), RFC 3549): every length is checked against what was received. */
#include "watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned char received[16384] __attribute__((aligned(4096)));

static size_t aligned(size_t length) { return (length + 3U) & ~(size_t)3U; }

/* Drops the first `length` bytes, aligned; the last piece need not be filled up. */
static void drop(struct span *rest, size_t length) {
  size_t step = aligned(length);
  if (step > rest->length) step = rest->length;
  rest->data += step;
  rest->length -= step;
}

bool next_attribute(struct span *rest, struct attribute *found) {
  struct nlattr header;
  if (rest->length < sizeof header) return false;
  memcpy(&header, rest->data, sizeof header);
  if (header.nla_len < sizeof header || header.nla_len > rest->length) return false;
  found->type = (uint16_t)(header.nla_type & (uint16_t)NLA_TYPE_MASK);
  found->value.data = rest->data + sizeof header;
  found->value.length = header.nla_len - sizeof header;
  drop(rest, header.nla_len);
  return true;
}

bool next_message(struct span *rest, uint16_t *type, uint32_t *sequence, struct span *payload) {
  struct nlmsghdr header;
  if (rest->length < sizeof header) return false;
  memcpy(&header, rest->data, sizeof header);
  if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest->length) return false;
  *type = header.nlmsg_type;
  *sequence = header.nlmsg_seq;
  payload->data = rest->data + sizeof header;
  payload->length = header.nlmsg_len - sizeof header;
  drop(rest, header.nlmsg_len);
  return true;
}

struct span after_header(struct span payload, size_t size) {
  struct span rest = {payload.data, 0};
  size_t begin = aligned(size);
  if (payload.length > begin) {
    rest.data = payload.data + begin;
    rest.length = payload.length - begin;
  }
  return rest;
}

uint16_t span_u16(struct span value) {
  uint16_t number = 0;
  if (value.length == sizeof number) memcpy(&number, value.data, sizeof number);
  return number;
}

uint32_t span_u32(struct span value) {
  uint32_t number = 0;
  if (value.length == sizeof number) memcpy(&number, value.data, sizeof number);
  return number;
}

uint64_t span_u64(struct span value) {
  uint64_t number = 0;
  if (value.length == sizeof number) memcpy(&number, value.data, sizeof number);
  return number;
}

bool span_name(struct span value, char name[IFNAMSIZ]) {
  const unsigned char *end = memchr(value.data, 0, value.length);
  if (end == NULL || end == value.data || end - value.data >= IFNAMSIZ) return false;
  memcpy(name, value.data, (size_t)(end - value.data) + 1);
  return true;
}

int open_netlink(int protocol, uint32_t groups) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  struct timeval patience = {.tv_sec = 2, .tv_usec = 0};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (groups != 0 ? SOCK_NONBLOCK : 0), protocol);
  if (fd < 0) return -1;
  /* The kernel answers at once; if it does not, the watcher must not hang. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

void protect_received(void) {
  /* Best effort: the limit for locked memory may be lower, and the kernel may not know the advice. */
  (void)mlock(received, sizeof received);
  (void)madvise(received, sizeof received, MADV_DONTDUMP);
}

void wipe_received(size_t length) { explicit_bzero(received, length < sizeof received ? length : sizeof received); }

/* One datagram of the kernel, nobody else's. 0 when there was none as it should be. */
static size_t receive(int fd) {
  struct sockaddr_nl from = {0};
  struct iovec into = {received, sizeof received};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &into, .msg_iovlen = 1};
  ssize_t length = recvmsg(fd, &message, 0);
  if (length <= 0) return 0;
  if ((message.msg_flags & MSG_TRUNC) != 0 || message.msg_namelen != sizeof from || from.nl_pid != 0) return 0;
  return (size_t)length;
}

bool ask_kernel(int fd, const void *request, size_t length,
                void (*take)(uint16_t type, struct span payload, void *context), void *context) {
  static uint32_t last_sequence;
  unsigned char message[256];
  struct nlmsghdr header;
  if (length < sizeof header || length > sizeof message) return false;
  memcpy(message, request, length);
  memcpy(&header, message, sizeof header);
  header.nlmsg_len = (uint32_t)length;
  header.nlmsg_seq = ++last_sequence;
  memcpy(message, &header, sizeof header);
  if (send(fd, message, length, 0) != (ssize_t)length) return false;
  /* A dump ends with NLMSG_DONE, a single answer with the acknowledgement that was asked for. */
  for (;;) {
    size_t got = receive(fd);
    struct span rest = {received, got};
    struct span payload;
    uint16_t type;
    uint32_t sequence;
    bool ended = got == 0;
    bool well = got != 0;
    while (!ended && next_message(&rest, &type, &sequence, &payload)) {
      if (sequence != header.nlmsg_seq) continue; /* of a request that was given up */
      if (type == NLMSG_DONE) ended = true;
      else if (type == NLMSG_ERROR) {
        struct span code = {payload.data, payload.length < 4 ? 0 : 4};
        ended = true;
        well = code.length == 4 && span_u32(code) == 0;
      } else if (type >= NLMSG_MIN_TYPE) take(type, payload, context);
    }
    wipe_received(got);
    if (ended) return well;
  }
}
