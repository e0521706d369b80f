/* kiwistack-watch: watches tunnels and the network, and runs a program when something calls for it. See README.md. */
#include "watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Without a tunnel, or with a file to look for, the watcher looks around this often. */
#define LOOK_AROUND_MS 10000
/* Messages of one change of the network arrive within this time. */
#define NETWORK_MS 100
/* A program that takes longer hangs. */
#define PROGRAM_MS (300 * 1000)
#define PROGRAM_KILL_MS (10 * 1000)
/* A clock that is corrected by less does not matter to anything here. */
#define CLOCK_JUMP_MS 5000
#define WAKE_JUMP_MS 1000

struct watcher {
  const char *while_file;
  struct patterns patterns;
  char *const *command;
  int event_fd, route_fd, signal_fd, clock_fd;
  struct wireguard wireguard;
  struct network network;
  bool network_known;
  /* When the network is to be read; 0: nothing has happened. */
  int64_t read_network_at;
  struct judge judge;
  int64_t slept, wall;
  int64_t look_around_at;
  pid_t program;
  int64_t program_ends_at;
};

static int64_t clock_ms(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) abort();
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Lines for the journal (sd-daemon(3)), in the form of the laptop's other logs. */
static void say(char level, const char *event, const char *name, const char *value) {
  (void)fprintf(stderr, "<%c>%s %s=%s\n", level, event, name, value);
}

static void read_tunnels(struct watcher *watcher, int64_t now) {
  for (size_t i = 0; i < watcher->network.tunnel_count; i++) {
    struct traffic traffic;
    if (read_traffic(&watcher->wireguard, &watcher->network.tunnels[i], &traffic)) {
      judge_traffic(&watcher->judge, i, &traffic, now);
    }
  }
}

static void look_at_network(struct watcher *watcher, int64_t now) {
  struct network network;
  watcher->read_network_at = 0;
  if (!read_network(watcher->route_fd, watcher->patterns, &network)) {
    /* Too much at once: again when it has calmed down. */
    watcher->read_network_at = now + LOOK_AROUND_MS;
    return;
  }
  if (watcher->network_known && network.digest != watcher->network.digest) {
    judge_event(&watcher->judge, REASON_NETWORK, now);
  }
  watcher->network = network;
  watcher->network_known = true;
  judge_tunnels(&watcher->judge, &network);
}

/* Compares the clocks: during sleep only the monotonic one stands still, and only the wall clock is ever set. */
static void look_at_clocks(struct watcher *watcher, int64_t now) {
  int64_t boot = clock_ms(CLOCK_BOOTTIME);
  int64_t slept = boot - now;
  int64_t wall = clock_ms(CLOCK_REALTIME) - boot;
  if (slept - watcher->slept > WAKE_JUMP_MS) judge_event(&watcher->judge, REASON_WAKE, now);
  if (llabs(wall - watcher->wall) > CLOCK_JUMP_MS) judge_event(&watcher->judge, REASON_CLOCK, now);
  watcher->slept = slept;
  watcher->wall = wall;
}

/* The kernel cancels this timer, which never expires, when the clock is set and when the machine wakes up. */
static void arm_clock(int fd) {
  struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX, .tv_nsec = 0}};
  (void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

/* How the program ended, or that it is to be ended. */
static void look_at_program(struct watcher *watcher, int64_t now) {
  int status = 0;
  if (watcher->program <= 0) return;
  if (waitpid(watcher->program, &status, WNOHANG) == watcher->program) {
    char code[16];
    (void)snprintf(code, sizeof code, "%d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (status != 0) say('5', "program-ended", "code", code);
    watcher->program = 0;
    read_tunnels(watcher, now);
    judge_ended(&watcher->judge, now);
  } else if (now >= watcher->program_ends_at) {
    bool asked = now < watcher->program_ends_at + PROGRAM_KILL_MS;
    (void)kill(-watcher->program, asked ? SIGTERM : SIGKILL);
  }
}

static void decide(struct watcher *watcher, int64_t now) {
  enum reason reason = judge_decide(&watcher->judge, now);
  if (reason == REASON_NONE) return;
  say('6', "asks", "reason", REASON_WORDS[reason]);
  watcher->program = start_program(watcher->command, REASON_WORDS[reason]);
  watcher->program_ends_at = now + PROGRAM_MS;
  if (watcher->program > 0) return;
  say('3', "program-failed", "program", watcher->command[0]);
  judge_ended(&watcher->judge, now);
}

/* Takes everything off a subscription; what it says is read from the kernel's present state. */
static void drain(int fd) {
  while (recv(fd, received, sizeof received, MSG_DONTWAIT) >= 0 || errno == ENOBUFS) continue;
}

/* True when the watcher is to end. */
static bool look_at_signals(struct watcher *watcher) {
  struct signalfd_siginfo signal;
  while (read(watcher->signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
    if (signal.ssi_signo == SIGCHLD) continue;
    if (watcher->program > 0) (void)kill(-watcher->program, SIGTERM);
    return true;
  }
  return false;
}

static int64_t time_to_wait(const struct watcher *watcher, int64_t now) {
  int64_t wait = judge_wait(&watcher->judge, now);
  int64_t look = watcher->look_around_at - now;
  if (wait < 0 || look < wait) wait = look;
  if (watcher->read_network_at != 0 && watcher->read_network_at - now < wait) wait = watcher->read_network_at - now;
  return wait < 0 ? 0 : wait;
}

static int watch(struct watcher *watcher) {
  struct pollfd polled[] = {
      {.fd = watcher->event_fd, .events = POLLIN},
      {.fd = watcher->signal_fd, .events = POLLIN},
      {.fd = watcher->clock_fd, .events = POLLIN},
  };
  for (;;) {
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    int64_t wait = time_to_wait(watcher, now);
    struct timespec timeout = {.tv_sec = wait / 1000, .tv_nsec = (wait % 1000) * 1000000};
    if (ppoll(polled, 3, &timeout, NULL) < 0 && errno != EINTR) return EXIT_FAILURE;
    now = clock_ms(CLOCK_MONOTONIC);
    if (polled[0].revents != 0) {
      drain(watcher->event_fd);
      if (watcher->read_network_at == 0) watcher->read_network_at = now + NETWORK_MS;
    }
    if (polled[1].revents != 0 && look_at_signals(watcher)) return EXIT_SUCCESS;
    if (polled[2].revents != 0) {
      uint64_t expirations;
      (void)!read(watcher->clock_fd, &expirations, sizeof expirations); /* fails with ECANCELED, which is the point */
      arm_clock(watcher->clock_fd);
    }
    look_at_clocks(watcher, now);
    if (now >= watcher->look_around_at) {
      watcher->look_around_at = now + LOOK_AROUND_MS;
      if (watcher->while_file != NULL && access(watcher->while_file, F_OK) != 0 && errno == ENOENT) return EXIT_SUCCESS;
    }
    if (watcher->read_network_at != 0 && now >= watcher->read_network_at) look_at_network(watcher, now);
    look_at_program(watcher, now);
    if (watcher->program == 0) read_tunnels(watcher, now);
    decide(watcher, now);
  }
}

static bool open_all(struct watcher *watcher) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return false;
  watcher->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  watcher->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  watcher->event_fd = open_netlink(
      NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
  watcher->route_fd = open_netlink(NETLINK_ROUTE, 0);
  return watcher->signal_fd >= 0 && watcher->clock_fd >= 0 && watcher->event_fd >= 0 && watcher->route_fd >= 0;
}

static int usage(void) {
  (void)fputs("usage: kiwistack-watch [--while FILE] INTERFACE... -- PROGRAM [ARGUMENT...]\n"
              "An INTERFACE may end with *. {reason} in an ARGUMENT becomes wake, network, clock, silent or stale.\n",
              stderr);
  return 2;
}

int main(int argc, char **argv) {
  static struct watcher watcher = {.wireguard = {.generic_fd = -1}};
  int at = 1;
  int64_t now;
  if (argc > 2 && strcmp(argv[1], "--while") == 0) {
    watcher.while_file = argv[2];
    at = 3;
  }
  watcher.patterns.names = argv + at;
  while (at < argc && strcmp(argv[at], "--") != 0) {
    if (!is_pattern(argv[at++])) return usage();
    watcher.patterns.count++;
  }
  if (watcher.patterns.count == 0 || at + 1 >= argc || argv[at + 1][0] != '/' || argc - at > 32) return usage();
  watcher.command = argv + at + 1;
  /* No core file with what WireGuard answered; nothing gains privileges from here on; exact to a tenth of a second is enough. */
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  (void)prctl(PR_SET_TIMERSLACK, 50000000UL, 0, 0, 0);
  protect_received();
  if (!open_all(&watcher)) {
    perror("kiwistack-watch");
    return EXIT_FAILURE;
  }
  judge_begin(&watcher.judge);
  arm_clock(watcher.clock_fd);
  now = clock_ms(CLOCK_MONOTONIC);
  watcher.slept = clock_ms(CLOCK_BOOTTIME) - now;
  watcher.wall = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
  look_at_network(&watcher, now);
  return watch(&watcher);
}
