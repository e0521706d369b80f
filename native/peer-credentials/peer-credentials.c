/* Who is at the other end of a Unix socket, which Node does not tell; and on macOS the socket that launchd listens at. See README.md. */
#define _GNU_SOURCE
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __linux__
#include <sys/socket.h>
#include <unistd.h>
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#endif

#ifdef __APPLE__
#include <launch.h>
#include <libproc.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/ucred.h>
#include <sys/un.h>
#endif

static bool set_number(napi_env env, napi_value object, const char *name, int64_t number) {
  napi_value value;
  return napi_create_int64(env, number, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

/*
 * peerOf(fd): {pid, uid, gid, pidfd} | undefined. The caller closes `pidfd`, which is -1 where the kernel has none. On macOS, which has no
 * /proc, also `started`, in microseconds since 1970, and `ruid` and `svuid`, all three of the process as it is now.
 */
static napi_value peer_of(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t fd = -1;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_int32(env, argument, &fd) != napi_ok) {
    napi_throw_type_error(env, NULL, "a file descriptor is needed");
    return NULL;
  }
#ifdef __linux__
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || length != sizeof peer || peer.pid <= 0) return NULL;
  int pidfd = -1;
  length = sizeof pidfd;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) != 0) pidfd = -1;
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok || !set_number(env, result, "pid", peer.pid) ||
      !set_number(env, result, "uid", peer.uid) || !set_number(env, result, "gid", peer.gid) ||
      !set_number(env, result, "pidfd", pidfd)) {
    if (pidfd >= 0) close(pidfd);
    return NULL;
  }
  return result;
#elif defined(__APPLE__)
  struct xucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &peer, &length) != 0 || length != sizeof peer ||
      peer.cr_version != XUCRED_VERSION || peer.cr_ngroups < 1) {
    return NULL;
  }
  pid_t pid = 0;
  length = sizeof pid;
  if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) != 0 || length != sizeof pid || pid <= 0) return NULL;
  struct proc_bsdinfo process;
  if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &process, sizeof process) != (int)sizeof process) return NULL;
  /* It has executed a set-user-ID program since it connected. */
  if (process.pbi_uid != peer.cr_uid) return NULL;
  int64_t started = (int64_t)process.pbi_start_tvsec * 1000000 + (int64_t)process.pbi_start_tvusec;
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok || !set_number(env, result, "pid", pid) ||
      !set_number(env, result, "uid", peer.cr_uid) || !set_number(env, result, "gid", peer.cr_groups[0]) ||
      !set_number(env, result, "pidfd", -1) || !set_number(env, result, "started", started) ||
      !set_number(env, result, "ruid", process.pbi_ruid) || !set_number(env, result, "svuid", process.pbi_svuid)) {
    return NULL;
  }
  return result;
#else
  return NULL;
#endif
}

/* activatedSocket(name): the one socket that launchd has for this job under a name, launch_activate_socket(3) | undefined. */
static napi_value activated_socket(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  char name[64];
  size_t length = 0;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_string_utf8(env, argument, name, sizeof name, &length) != napi_ok || length + 1 == sizeof name) {
    napi_throw_type_error(env, NULL, "a name is needed");
    return NULL;
  }
#ifdef __APPLE__
  int *descriptors = NULL;
  size_t found = 0;
  if (launch_activate_socket(name, &descriptors, &found) != 0) return NULL;
  int fd = found == 1 ? descriptors[0] : -1;
  free(descriptors);
  napi_value result;
  if (fd < 0 || napi_create_int32(env, fd, &result) != napi_ok) return NULL;
  return result;
#else
  return NULL;
#endif
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"peerOf", NULL, peer_of, NULL, NULL, NULL, napi_enumerable, NULL},
      {"activatedSocket", NULL, activated_socket, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties);
  return exports;
}
