/*
 * fault_peer - one end of a connection of the fault proxy: bytes in, bytes out, over TLS or not.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_CHUNK_BYTES 65536u
#define PEER_HEAD_SIZE   32768u /* of a request or reply, with the NUL at its end */

struct peer {
    int fd;
    SSL *ssl;
    char buffer[PEER_CHUNK_BYTES];
    size_t position, length; /* of what was read and not yet taken */
};

/* Connects to `port` of this machine. When that fails, nothing can be written to the peer. */
struct peer *peer_connect(int port);

void peer_close(struct peer *peer);

/* As read(): at most `size` bytes; 0 or less at the end. */
ssize_t peer_read(struct peer *peer, char *out, size_t size);

bool peer_write(struct peer *peer, const char *bytes, size_t length);

/*
 * Reads a head with its empty line to `head`, PEER_HEAD_SIZE bytes, and ends it by NUL; what comes
 * after it stays to be read. Returns its length, or 0.
 */
size_t peer_read_head(struct peer *peer, char *head);

/* Makes the close of the connection a reset (RST), as when a process or a middlebox dies. */
void peer_reset_on_close(const struct peer *peer);

/* Until the other end closes its connection. */
void peer_wait_for_end(const struct peer *peer);

/* Whether it has. */
bool peer_has_left(const struct peer *peer);

/*
 * Copies what comes after `name` in `text` (any case; a header's line, or a name in a query), up to
 * one of `ends`; "" when there is none.
 */
void peer_find_value(const char *text, const char *name, const char *ends, char *out, size_t size);

uint64_t peer_find_number(const char *text, const char *name);

/* The program cannot go on. */
_Noreturn void peer_die(const char *what, const char *detail);

/* The pointer, which came of an allocation. */
void *peer_not_null(void *pointer);
