/* What the parts of the watcher share. See README.md. */
#ifndef KIWISTACK_WATCH_H
#define KIWISTACK_WATCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- netlink.c: messages and attributes, never read beyond what was received -------------------------------------- */

/* A piece of a message that is inside of what was received. */
struct span {
  const unsigned char *data;
  size_t length;
};

/* One attribute (struct nlattr): its type without the flags, and its value. */
struct attribute {
  uint16_t type;
  struct span value;
};

/* Takes the next attribute off `rest`. False at the end, and where the rest is no attribute. */
bool next_attribute(struct span *rest, struct attribute *found);

/* Takes the next message (struct nlmsghdr) off `rest`: its type, sequence number and payload. */
bool next_message(struct span *rest, uint16_t *type, uint32_t *sequence, struct span *payload);

/* What follows a fixed header of `size` bytes, aligned as netlink aligns; empty if the payload is shorter. */
struct span after_header(struct span payload, size_t size);

/* Numbers of an attribute; 0 unless it has exactly this size. */
uint16_t span_u16(struct span value);
uint32_t span_u32(struct span value);
uint64_t span_u64(struct span value);

/* Copies a name, which must end with NUL within the span and fit. */
bool span_name(struct span value, char name[IFNAMSIZ]);

/* A socket of this netlink protocol, subscribed to `groups`; -1 on failure. */
int open_netlink(int protocol, uint32_t groups);

/* The buffer for everything that is received. It is locked into memory and wiped after use: WireGuard's answers hold keys. */
extern unsigned char received[16384];
void protect_received(void);
void wipe_received(size_t length);

/* Sends a request and gives each message of the answer to `take`. False when the kernel did not answer as it should. */
bool ask_kernel(int fd, const void *request, size_t length,
                void (*take)(uint16_t type, struct span payload, void *context), void *context);

/* --- network.c: where this machine is connected ------------------------------------------------------------------- */

#define MAX_TUNNELS 8

struct tunnel_link {
  char name[IFNAMSIZ];
  uint32_t index;
  /* True for an interface of the kernel's WireGuard; otherwise a program has it. */
  bool in_kernel;
};

struct network {
  struct tunnel_link tunnels[MAX_TUNNELS];
  size_t tunnel_count;
  /* Changes when an address, a route or a link does that is not of one of the tunnels. Lifetimes do not count. */
  uint64_t digest;
};

/* The names, which may end with `*`, of the interfaces that are watched. */
struct patterns {
  char *const *names;
  size_t count;
};
bool is_pattern(const char *text);

/* Reads the present state. False when the kernel did not answer. */
bool read_network(int route_fd, struct patterns patterns, struct network *network);

/* The parts of it that take what the kernel sent; for tests. */
struct network_reading;
void take_network_message(uint16_t type, struct span payload, void *network_reading);
struct network_reading *test_reading(struct patterns patterns, struct network *network);

/* --- wireguard.c: what goes through a tunnel ----------------------------------------------------------------------- */

struct traffic {
  uint64_t received;
  uint64_t sent;
  /* Of the last handshake; only changes of it mean something. */
  int64_t handshake;
  bool keepalive;
};

struct wireguard {
  int generic_fd;
  uint16_t family;
};
bool read_traffic(struct wireguard *wireguard, const struct tunnel_link *tunnel, struct traffic *traffic);

/* The parts of it that take what was received; for tests. */
void take_device(uint16_t type, struct span payload, void *traffic);
void take_family(uint16_t type, struct span payload, void *family);
bool read_uapi(struct span text, struct traffic *traffic);

/* --- judge.c: when the program is to be run -------------------------------------------------------------------------- */

enum reason { REASON_NONE, REASON_STALE, REASON_SILENT, REASON_CLOCK, REASON_NETWORK, REASON_WAKE };
extern const char *const REASON_WORDS[];

/* What is remembered of one tunnel. */
struct tunnel_state {
  char name[IFNAMSIZ];
  bool known;
  struct traffic last;
  int64_t handshake_at;
  /* Since when packets go out and none comes in, and in how many readings. */
  int64_t unanswered_since;
  unsigned unanswered;
  bool busy;
};

struct judge {
  struct tunnel_state tunnels[MAX_TUNNELS];
  size_t tunnel_count;
  /* The strongest reason that waits, since when, and when its time comes. */
  enum reason pending;
  int64_t pending_since;
  int64_t pending_due;
  /* No run before this: for what is seen at a tunnel, and for events. */
  int64_t retry_at;
  int64_t retry_delay;
  int64_t event_at;
  int64_t event_delay;
  /* How long a tunnel may be silent; grows with false alarms. */
  int64_t patience;
  /* Of the run that is going on. */
  enum reason running;
  struct traffic before[MAX_TUNNELS];
};

void judge_begin(struct judge *judge);
/* Which tunnels there are now. */
void judge_tunnels(struct judge *judge, const struct network *network);
/* An event: of the network, of the clock, a wake-up. */
void judge_event(struct judge *judge, enum reason reason, int64_t now);
/* A reading of a tunnel. All times are milliseconds of the monotonic clock. */
void judge_traffic(struct judge *judge, size_t tunnel, const struct traffic *traffic, int64_t now);
/* The reason for which the program is to be run now. */
enum reason judge_decide(struct judge *judge, int64_t now);
/* The program has ended; the tunnels have been read again since. */
void judge_ended(struct judge *judge, int64_t now);
/* Milliseconds until the tunnels should be read again, or something is due; -1: only an event matters. */
int64_t judge_wait(const struct judge *judge, int64_t now);

/* --- child.c: the program ---------------------------------------------------------------------------------------------- */

/* Starts it with a clean environment, `{reason}` in its arguments replaced. Returns its process id, or -1. */
int start_program(char *const *command, const char *reason);

#endif
