/* libykpiv.dll of the test: a card in the folder `card` beside this library. PLANTED: the same, by somebody else, who leaves a trace of being loaded. */
#define CARD_EXPORTS
#include "card.h"

#include <windows.h>

#include <bcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static HINSTANCE self;

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved) {
  (void)reserved;
  if (reason != DLL_PROCESS_ATTACH) return TRUE;
  self = instance;
#ifdef PLANTED
  FILE *trace = fopen(PLANTED, "wb");
  if (trace != NULL) fclose(trace);
#endif
  return TRUE;
}

static void place_of(const char *name, char path[MAX_PATH]) {
  char folder[MAX_PATH];
  GetModuleFileNameA(self, folder, sizeof folder);
  char *slash = strrchr(folder, '\\');
  if (slash != NULL) *slash = '\0';
  snprintf(path, MAX_PATH, "%s\\card\\%s", folder, name);
}

int card_read(const char *name, unsigned char *bytes, size_t room) {
  char path[MAX_PATH];
  place_of(name, path);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return -1;
  size_t length = fread(bytes, 1, room, file);
  fclose(file);
  return (int)length;
}

bool card_has(const char *name) {
  unsigned char one;
  return card_read(name, &one, 1) >= 0;
}

void card_remove(const char *name) {
  char path[MAX_PATH];
  place_of(name, path);
  remove(path);
}

static void write_tries(int tries) {
  char path[MAX_PATH];
  place_of("tries", path);
  FILE *file = fopen(path, "wb");
  if (file == NULL) return;
  fprintf(file, "%d", tries);
  fclose(file);
}

int card_tries(void) {
  unsigned char text[2] = {0};
  return card_read("tries", text, 1) < 1 ? 3 : text[0] - '0';
}

int card_verify(const unsigned char *pin, size_t length, bool *right) {
  int tries = card_tries();
  *right = false;
  if (tries == 0) return 0;
  write_tries(--tries);
  unsigned char expected[16];
  int expects = card_read("pin", expected, sizeof expected);
  *right = expects >= 0 && (size_t)expects == length && memcmp(pin, expected, length) == 0;
  if (*right) write_tries(tries = 3);
  return tries;
}

/* The file `key` has x, y and the private number, 32 bytes each. */
bool card_sign(const unsigned char digest[32], unsigned char signature[64]) {
  struct {
    BCRYPT_ECCKEY_BLOB head;
    unsigned char numbers[96];
  } blob = {.head = {BCRYPT_ECDSA_PRIVATE_P256_MAGIC, 32}};
  if (card_read("key", blob.numbers, sizeof blob.numbers) != sizeof blob.numbers) return false;
  BCRYPT_ALG_HANDLE algorithm = NULL;
  BCRYPT_KEY_HANDLE key = NULL;
  ULONG length = 0;
  bool signed_it = BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_ECDSA_P256_ALGORITHM, NULL, 0) == 0 &&
                   BCryptImportKeyPair(algorithm, NULL, BCRYPT_ECCPRIVATE_BLOB, &key, (PUCHAR)&blob, sizeof blob, 0) == 0 &&
                   BCryptSignHash(key, NULL, (PUCHAR)digest, 32, signature, 64, &length, 0) == 0 && length == 64;
  if (key != NULL) BCryptDestroyKey(key);
  if (algorithm != NULL) BCryptCloseAlgorithmProvider(algorithm, 0);
  return signed_it;
}
