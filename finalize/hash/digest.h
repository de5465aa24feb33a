/*
 * digest - SHA-256, HMAC-SHA-256 and MD5 of bytes at hand. (Of files: hasher.h.)
 *
 * The only file that includes OpenSSL's headers, with the streaming form that hasher.c drives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA256_BYTES 32
#define DIGEST_MD5_BYTES    16
#define DIGEST_SHA256_HEX   (2 * DIGEST_SHA256_BYTES + 1) /* with the final NUL */
#define DIGEST_MD5_HEX      (2 * DIGEST_MD5_BYTES + 1)
#define DIGEST_MD5_BASE64   25 /* with the final NUL */

/* SHA-256 of nothing, in hex: the payload hash of a request without a body. */
#define DIGEST_SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* All of these fail only when OpenSSL does (no memory, algorithm switched off). */
bool digest_sha256(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SHA256_BYTES])
    __attribute__((warn_unused_result));
bool digest_md5(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_MD5_BYTES])
    __attribute__((warn_unused_result));
bool digest_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                        uint8_t ret_digest[DIGEST_SHA256_BYTES])
    __attribute__((warn_unused_result));

/* Lower-case hex of `length` bytes, with a final NUL: `out` has 2 * length + 1 bytes. */
void digest_hex(const uint8_t *digest, size_t length, char *out);

/* Base64 as Content-MD5 wants it. */
void digest_md5_base64(const uint8_t digest[DIGEST_MD5_BYTES], char out[DIGEST_MD5_BASE64]);

/* A digest that is fed piece by piece. */
enum digest_kind { DIGEST_SHA256, DIGEST_MD5 };
struct digest_stream;

/* NULL when there is no memory or OpenSSL refuses the algorithm. */
struct digest_stream *digest_stream_open(enum digest_kind kind);
/* A stream can be used for any number of digests, one after the other. */
bool digest_stream_begin(struct digest_stream *stream) __attribute__((warn_unused_result));
bool digest_stream_update(struct digest_stream *stream, const void *bytes, size_t length)
    __attribute__((warn_unused_result));
/* `ret_digest` has the bytes of the stream's kind. */
bool digest_stream_end(struct digest_stream *stream, uint8_t *ret_digest)
    __attribute__((warn_unused_result));
void digest_stream_close(struct digest_stream *stream);
