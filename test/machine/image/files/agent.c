/*
 * The hand inside the machine: starts programs and opens connections for whoever holds the other end of the virtio port,
 * many at a time, and carries their input and output. It is started before everything else and needs nothing but the kernel.
 *
 * A frame is id (4 bytes), kind (1), length (4), payload; numbers little-endian. See ../agent-channel.ts for the other side.
 *   to the agent    S start: "cwd\0n\0env…\0argv…\0"   C connect: a TCP port of 127.0.0.1 or the path of a socket
 *                   I input   E end of input   K signal (1 byte, to the whole group)   P ping
 *   from the agent  O output   R error output   X ended: exit code, 128 + signal (4 bytes)   H it lives
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TASKS = 256, HEAD = 9, CHUNK = 65536 };

struct task {
  uint32_t id; /* 0: free */
  pid_t pid;   /* 0: a connection, or a program that has ended */
  int in, out, err;
  int is_connection, ended, code, closing;
  char *queue; /* input that the program has not taken yet */
  size_t queued;
};

static struct task tasks[MAX_TASKS];
static int port;

static void write_all(const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t n = write(port, at, length);
    if (n > 0) {
      at += n;
      length -= (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd p = {port, POLLOUT, 0};
      poll(&p, 1, 1000);
    } else if (n < 0 && errno != EINTR) {
      exit(1);
    }
  }
}

static void put32(unsigned char *to, uint32_t v) {
  for (int i = 0; i < 4; i++) to[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const unsigned char *from) {
  return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void say(uint32_t id, char kind, const void *payload, uint32_t length) {
  unsigned char head[HEAD];
  put32(head, id);
  head[4] = (unsigned char)kind;
  put32(head + 5, length);
  write_all(head, HEAD);
  write_all(payload, length);
}

static void say_end(uint32_t id, int code) {
  unsigned char payload[4];
  put32(payload, (uint32_t)code);
  say(id, 'X', payload, 4);
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static struct task *find(uint32_t id) {
  for (int i = 0; i < MAX_TASKS; i++)
    if (tasks[i].id == id) return &tasks[i];
  return NULL;
}

static struct task *take(uint32_t id) {
  struct task *t = find(0);
  if (t == NULL) return NULL;
  *t = (struct task){.id = id, .in = -1, .out = -1, .err = -1};
  return t;
}

static void release(struct task *t) {
  if (t->is_connection) t->out = -1; /* the same descriptor as in */
  shut(&t->in);
  shut(&t->out);
  shut(&t->err);
  free(t->queue);
  *t = (struct task){0};
}

static void start(uint32_t id, char *payload, uint32_t length) {
  char *words[4096];
  int count = 0;
  for (uint32_t at = 0; at < length && count < 4095; at += (uint32_t)strlen(payload + at) + 1) words[count++] = payload + at;
  words[count] = NULL;
  int variables = count > 1 ? atoi(words[1]) : 0;
  int in[2], out[2], err[2];
  struct task *t = take(id);
  if (t == NULL || count < 3 + variables || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
    if (t != NULL) release(t);
    say_end(id, 125);
    return;
  }
  pid_t pid = fork();
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    char **argv = words + 2 + variables;
    clearenv();
    for (int i = 0; i < variables; i++) putenv(words[2 + i]);
    if (chdir(words[0]) == 0) execvp(argv[0], argv);
    dprintf(2, "agent: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  t->pid = pid;
  t->in = in[1];
  t->out = out[0];
  t->err = err[0];
  fcntl(t->in, F_SETFL, O_NONBLOCK);
}

static void connect_to(uint32_t id, const char *where) {
  struct task *t = take(id);
  int fd, failed;
  if (where[0] == '/') {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strncpy(a.sun_path, where, sizeof a.sun_path - 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed = connect(fd, (struct sockaddr *)&a, sizeof a);
  } else {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(where))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed = connect(fd, (struct sockaddr *)&a, sizeof a);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  if (t == NULL || failed) {
    close(fd);
    if (t != NULL) release(t);
    say_end(id, 1);
    return;
  }
  t->is_connection = 1;
  t->in = t->out = fd;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  say(id, 'H', "", 0);
}

/* What the program takes of its waiting input; then, if no more will come, the end. */
static void feed(struct task *t) {
  while (t->in >= 0 && t->queued > 0) {
    ssize_t n = write(t->in, t->queue, t->queued);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) {
      t->queued = 0;
      if (!t->is_connection) shut(&t->in);
      return;
    }
    t->queued -= (size_t)n;
    memmove(t->queue, t->queue + n, t->queued);
  }
  if (t->closing && t->in >= 0) {
    if (t->is_connection) shutdown(t->in, SHUT_WR);
    else shut(&t->in);
    t->closing = 0;
  }
}

static void handle(uint32_t id, char kind, char *payload, uint32_t length) {
  struct task *t = id == 0 ? NULL : find(id);
  if (kind == 'P') say(0, 'H', "", 0);
  else if (kind == 'S') start(id, payload, length);
  else if (kind == 'C') connect_to(id, payload);
  else if (t == NULL) return;
  else if (kind == 'I' && t->in >= 0) {
    t->queue = realloc(t->queue, t->queued + length);
    memcpy(t->queue + t->queued, payload, length);
    t->queued += length;
    feed(t);
  } else if (kind == 'E') {
    t->closing = 1;
    feed(t);
  } else if (kind == 'K') {
    if (t->is_connection) {
      release(t);
      say_end(id, 0);
    } else if (t->pid > 0 && kill(-t->pid, payload[0])) {
      /* It has not got so far as to have a group. */
      kill(t->pid, payload[0]);
    }
  }
}

/* Reads what has come from a program; closed at its end. */
static void carry(struct task *t, int *fd, char kind) {
  static char data[CHUNK];
  ssize_t n = read(*fd, data, sizeof data);
  if (t->is_connection) {
    /* vpcd writes a length and then a payload: acknowledged at once, it does not wait 40 ms between the two. */
    int one = 1;
    setsockopt(*fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
  }
  if (n > 0) say(t->id, kind, data, (uint32_t)n);
  else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    if (t->is_connection) t->ended = 1;
    else shut(fd);
  }
}

/* A program has ended when it was waited for and its output was read; what daemons it left may keep is not waited for. */
static void bury(struct task *t) {
  if (t->out >= 0 && !t->is_connection) {
    fcntl(t->out, F_SETFL, O_NONBLOCK);
    fcntl(t->err, F_SETFL, O_NONBLOCK);
    char data[CHUNK];
    ssize_t n;
    while (t->out >= 0 && (n = read(t->out, data, sizeof data)) > 0) say(t->id, 'O', data, (uint32_t)n);
    while (t->err >= 0 && (n = read(t->err, data, sizeof data)) > 0) say(t->id, 'R', data, (uint32_t)n);
  }
  uint32_t id = t->id;
  int code = t->code;
  release(t);
  say_end(id, code);
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_TASKS; i++)
      if (tasks[i].id != 0 && tasks[i].pid == pid) {
        tasks[i].pid = 0;
        tasks[i].ended = 1;
        tasks[i].code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  int children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  if (argc != 2 || (port = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) return 1;
  static unsigned char *buffer;
  size_t have = 0, room = 0;
  for (;;) {
    struct pollfd polled[2 + 3 * MAX_TASKS];
    struct { struct task *task; int *fd; char kind; } what[2 + 3 * MAX_TASKS];
    nfds_t count = 2;
    polled[0] = (struct pollfd){port, POLLIN, 0};
    polled[1] = (struct pollfd){children, POLLIN, 0};
    for (int i = 0; i < MAX_TASKS; i++) {
      struct task *t = &tasks[i];
      if (t->id == 0) continue;
      if (t->in >= 0 && t->queued > 0) {
        what[count].task = t, what[count].fd = &t->in, what[count].kind = 'I';
        polled[count++] = (struct pollfd){t->in, POLLOUT, 0};
      }
      if (t->out >= 0) {
        what[count].task = t, what[count].fd = &t->out, what[count].kind = 'O';
        polled[count++] = (struct pollfd){t->out, POLLIN, 0};
      }
      if (t->err >= 0) {
        what[count].task = t, what[count].fd = &t->err, what[count].kind = 'R';
        polled[count++] = (struct pollfd){t->err, POLLIN, 0};
      }
    }
    if (poll(polled, count, -1) < 0 && errno != EINTR) return 1;
    for (nfds_t i = 2; i < count; i++) {
      if (polled[i].revents == 0 || *what[i].fd < 0) continue;
      if (what[i].kind == 'I') feed(what[i].task);
      else carry(what[i].task, what[i].fd, what[i].kind);
    }
    if (polled[1].revents != 0) {
      struct signalfd_siginfo info;
      while (read(children, &info, sizeof info) > 0) {}
      reap();
    }
    for (int i = 0; i < MAX_TASKS; i++)
      if (tasks[i].id != 0 && tasks[i].ended) bury(&tasks[i]);
    /* Nobody holds the other end: wait for somebody. */
    if (polled[0].revents & POLLHUP) usleep(100000);
    if ((polled[0].revents & POLLIN) == 0) continue;
    if (room - have < CHUNK) buffer = realloc(buffer, room = have + CHUNK);
    ssize_t n = read(port, buffer + have, CHUNK);
    if (n <= 0) continue;
    have += (size_t)n;
    size_t at = 0;
    while (have - at >= HEAD && have - at - HEAD >= get32(buffer + at + 5)) {
      uint32_t length = get32(buffer + at + 5);
      /* A terminating zero for texts, in the place of the next frame's first byte. */
      char *payload = calloc(1, length + 1);
      memcpy(payload, buffer + at + HEAD, length);
      handle(get32(buffer + at), (char)buffer[at + 4], payload, length);
      free(payload);
      at += HEAD + length;
    }
    have -= at;
    memmove(buffer, buffer + at, have);
  }
}
