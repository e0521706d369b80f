/* The card behind the module: what a YubiKey remembers, in files, because each process that has seen a PIN ends. */
#ifndef CARD_H
#define CARD_H

#include <stdbool.h>
#include <stddef.h>

#define MOST_BYTES 4096

#ifdef CARD_EXPORTS
#define CARD __declspec(dllexport)
#else
#define CARD __declspec(dllimport)
#endif

/* The contents of one of its files; the number of bytes, or -1 when there is no such file. */
CARD int card_read(const char *name, unsigned char *bytes, size_t room);
CARD bool card_has(const char *name);
CARD void card_remove(const char *name);

/* Compares a PIN; a try is paid before. Returns the tries left; right: in `right`. */
CARD int card_verify(const unsigned char *pin, size_t length, bool *right);
CARD int card_tries(void);

/* ECDSA with P-256 over 32 bytes, as r and s. */
CARD bool card_sign(const unsigned char digest[32], unsigned char signature[64]);

#endif
