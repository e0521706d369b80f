/* Operating-system calls that Node does not offer. See README.md. */
#define _GNU_SOURCE
#include <node_api.h>
#include <stdbool.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#include <sys/resource.h>
#endif
#ifdef __linux__
#include <sys/prctl.h>
#endif

static napi_value to_boolean(napi_env env, bool value) {
  napi_value result = NULL;
  napi_get_boolean(env, value, &result);
  return result;
}

/* The only argument, which must be a Buffer; anything else is a programming error and throws a TypeError. */
static bool buffer_argument(napi_env env, napi_callback_info info, void **data, size_t *length) {
  size_t count = 1;
  napi_value argument;
  bool is_buffer = false;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) == napi_ok && count == 1) {
    napi_is_buffer(env, argument, &is_buffer);
  }
  if (!is_buffer || napi_get_buffer_info(env, argument, data, length) != napi_ok) {
    napi_throw_type_error(env, NULL, "a Buffer is needed");
    return false;
  }
  return true;
}

/* lock(buffer): boolean. Its pages are never written to swap. */
static napi_value lock(napi_env env, napi_callback_info info) {
  void *data;
  size_t length;
  if (!buffer_argument(env, info, &data, &length)) return NULL;
  if (length == 0) return to_boolean(env, true);
#ifdef _WIN32
  return to_boolean(env, VirtualLock(data, length) != 0);
#else
  return to_boolean(env, mlock(data, length) == 0);
#endif
}

/* wipe(buffer): void. Overwrites the buffer in a way that the compiler cannot optimise away. */
static napi_value wipe(napi_env env, napi_callback_info info) {
  void *data;
  size_t length;
  if (!buffer_argument(env, info, &data, &length) || length == 0) return NULL;
#ifdef _WIN32
  SecureZeroMemory(data, length);
#else
  volatile unsigned char *byte = data;
  for (size_t i = 0; i < length; i++) byte[i] = 0;
#endif
  return NULL;
}

/* disableDumps(): boolean. This process writes no core file and, on Linux, no debugger of the same user can attach to it. */
static napi_value disable_dumps(napi_env env, napi_callback_info info) {
  (void)info;
#ifdef _WIN32
  SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
  return to_boolean(env, true);
#else
  struct rlimit none = {0, 0};
  bool done = setrlimit(RLIMIT_CORE, &none) == 0;
#ifdef __linux__
  done = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && done;
#endif
  return to_boolean(env, done);
#endif
}

#ifdef _WIN32
/* The longest path of a folder of Windows, with its end. */
#define MOST_PATH 1024

/*
 * confineLibraries(folder): boolean. What a library needs is looked for in this folder and in Windows' own from now on: no longer beside the program, in the
 * current folder or in PATH, where somebody else may have put a library of that name.
 */
static napi_value confine_libraries(napi_env env, napi_callback_info info) {
  size_t count = 1, length = 0;
  napi_value argument;
  wchar_t folder[MOST_PATH];
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_string_utf16(env, argument, (char16_t *)folder, MOST_PATH, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "the path of a folder is needed");
    return NULL;
  }
  /* One that did not fit was cut off. */
  bool whole = length > 0 && length < MOST_PATH - 1;
  return to_boolean(env, whole && SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_USER_DIRS | LOAD_LIBRARY_SEARCH_SYSTEM32) != 0 &&
                             AddDllDirectory(folder) != NULL);
}
#endif

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"lock", NULL, lock, NULL, NULL, NULL, napi_enumerable, NULL},
      {"wipe", NULL, wipe, NULL, NULL, NULL, napi_enumerable, NULL},
      {"disableDumps", NULL, disable_dumps, NULL, NULL, NULL, napi_enumerable, NULL},
#ifdef _WIN32
      {"confineLibraries", NULL, confine_libraries, NULL, NULL, NULL, napi_enumerable, NULL},
#endif
  };
  napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties);
  return exports;
}
