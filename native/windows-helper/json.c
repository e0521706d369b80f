/* Prints JSON. Whatever is not fit for it is escaped, so that no text of a driver or a person can end a string. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *buffer;
static size_t length, room;
static bool full, needs_comma;

static void put(const char *text, size_t size) {
  if (full) return;
  if (length + size > room) {
    size_t larger = room == 0 ? 65536 : room * 2;
    while (larger < length + size) larger *= 2;
    char *grown = larger > MAX_OUTPUT ? NULL : realloc(buffer, larger);
    if (grown == NULL) {
      full = true;
      return;
    }
    buffer = grown;
    room = larger;
  }
  memcpy(buffer + length, text, size);
  length += size;
}

static void separate(void) {
  if (needs_comma) put(",", 1);
  needs_comma = true;
}

void json_open(char bracket) {
  separate();
  put(&bracket, 1);
  needs_comma = false;
}

void json_close(char bracket) {
  put(&bracket, 1);
  needs_comma = true;
}

static void put_escaped(unsigned unit) {
  char text[8];
  if (unit == '"' || unit == '\\') {
    text[0] = '\\';
    text[1] = (char)unit;
    put(text, 2);
  } else if (unit >= 0x20 && unit < 0x7f) {
    text[0] = (char)unit;
    put(text, 1);
  } else {
    snprintf(text, sizeof text, "\\u%04x", unit & 0xffffu);
    put(text, 6);
  }
}

void json_name(const char *name) {
  json_ascii(name);
  put(":", 1);
  needs_comma = false;
}

void json_text(const wchar_t *text) {
  separate();
  put("\"", 1);
  for (; *text != L'\0'; text++) put_escaped(*text);
  put("\"", 1);
}

void json_ascii(const char *text) {
  separate();
  put("\"", 1);
  for (; *text != '\0'; text++) put_escaped((unsigned char)*text < 0x80 ? (unsigned char)*text : '?');
  put("\"", 1);
}

void json_number(uint64_t number) {
  char text[24];
  int size = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  separate();
  put(text, (size_t)size);
}

void json_bool(bool value) {
  separate();
  put(value ? "true" : "false", value ? 4 : 5);
}

void json_null(void) {
  separate();
  put("null", 4);
}

void json_hex(const BYTE *bytes, DWORD size) {
  separate();
  put("\"", 1);
  for (DWORD index = 0; index < size; index++) {
    char text[3];
    snprintf(text, sizeof text, "%02x", bytes[index]);
    put(text, 2);
  }
  put("\"", 1);
}

int json_end(void) {
  put("\n", 1);
  if (full || !write_output(buffer, (DWORD)length)) return FAILED;
  return DONE;
}
