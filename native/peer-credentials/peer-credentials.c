/* One operating-system call that Node does not offer. See README.md. */
#define _GNU_SOURCE
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static bool put_number(napi_env env, napi_value object, const char *name, int64_t number) {
  napi_value value;
  return napi_create_int64(env, number, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

/* peerCredentials(fd): {pid, uid, gid}. Throws when the descriptor is not a connected Unix socket. */
static napi_value peer_credentials(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, result;
  int32_t fd;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_int32(env, argument, &fd) != napi_ok) {
    napi_throw_type_error(env, NULL, "a file descriptor is needed");
    return NULL;
  }
  struct ucred peer;
  socklen_t length = sizeof(peer);
  /* A socket of another family, and one that is not connected, has no peer with a process: the kernel says pid 0. */
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || length != sizeof(peer) || peer.pid <= 0) {
    napi_throw_error(env, NULL, "no process is at the other end of this descriptor");
    return NULL;
  }
  if (napi_create_object(env, &result) != napi_ok || !put_number(env, result, "pid", peer.pid) ||
      !put_number(env, result, "uid", peer.uid) || !put_number(env, result, "gid", peer.gid)) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"peerCredentials", NULL, peer_credentials, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties);
  return exports;
}
