{
  "targets": [
    {
      "target_name": "peer_credentials",
      "sources": ["peer-credentials.c"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-Wall", "-Wextra", "-Werror", "-fstack-protector-strong"]
    }
  ]
}
