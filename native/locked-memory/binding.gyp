{
  "targets": [
    {
      "target_name": "locked_memory",
      "sources": ["locked-memory.c"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-Wall", "-Wextra", "-Werror", "-fstack-protector-strong"]
    }
  ]
}
