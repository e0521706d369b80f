/* Starts the program, which inherits nothing but stdout and stderr. */
#include "watch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#define MAX_ARGUMENTS 32

/* `{reason}` of an argument replaced; the argument itself where it has none or there is no room. */
static char *filled(char *argument, const char *reason, char *room, size_t size) {
  static const char PLACE[] = "{reason}";
  const char *found = strstr(argument, PLACE);
  size_t before, after;
  if (found == NULL) return argument;
  before = (size_t)(found - argument);
  after = strlen(found + sizeof PLACE - 1);
  if (before + strlen(reason) + after >= size) return argument;
  memcpy(room, argument, before);
  memcpy(room + before, reason, strlen(reason));
  memcpy(room + before + strlen(reason), found + sizeof PLACE - 1, after + 1);
  return room;
}

int start_program(char *const *command, const char *reason) {
  static char *const ENVIRONMENT[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
  static char room[MAX_ARGUMENTS][256];
  char *arguments[MAX_ARGUMENTS + 1] = {NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  pid_t pid = -1;
  for (size_t i = 0; i < MAX_ARGUMENTS && command[i] != NULL; i++) {
    arguments[i] = filled(command[i], reason, room[i], sizeof room[i]);
  }
  sigemptyset(&none);
  sigfillset(&all);
  if (posix_spawn_file_actions_init(&files) != 0) return -1;
  if (posix_spawnattr_init(&attributes) != 0) {
    posix_spawn_file_actions_destroy(&files);
    return -1;
  }
  /* A process group of its own, so that all of it can be ended. */
  if (posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
      posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) != 0 ||
      posix_spawnattr_setsigmask(&attributes, &none) != 0 || posix_spawnattr_setsigdefault(&attributes, &all) != 0 ||
      posix_spawn(&pid, arguments[0], &files, &attributes, arguments, ENVIRONMENT) != 0) {
    pid = -1;
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return pid;
}
