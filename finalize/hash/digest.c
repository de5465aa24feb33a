#include "finalize/hash/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

struct digest_stream {
    EVP_MD_CTX *context;
    const EVP_MD *algorithm;
};

static const EVP_MD *algorithm_of(enum digest_kind kind)
{
    return kind == DIGEST_MD5 ? EVP_md5() : EVP_sha256();
}

static bool digest_at_once(enum digest_kind kind, const void *bytes, size_t length,
                           uint8_t *ret_digest)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;

    if (!EVP_Digest(bytes, length, digest, &digest_length, algorithm_of(kind), NULL))
        return false;
    for (unsigned i = 0; i < digest_length; i++)
        ret_digest[i] = digest[i];
    return true;
}

bool digest_sha256(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SHA256_BYTES])
{
    return digest_at_once(DIGEST_SHA256, bytes, length, ret_digest);
}

bool digest_md5(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_MD5_BYTES])
{
    return digest_at_once(DIGEST_MD5, bytes, length, ret_digest);
}

bool digest_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                        uint8_t ret_digest[DIGEST_SHA256_BYTES])
{
    unsigned digest_length = 0;

    if (key_length > INT_MAX)
        return false;
    return HMAC(EVP_sha256(), key, (int)key_length, bytes, length, ret_digest, &digest_length) &&
           digest_length == DIGEST_SHA256_BYTES;
}

void digest_hex(const uint8_t *digest, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = 0;
}

void digest_md5_base64(const uint8_t digest[DIGEST_MD5_BYTES], char out[DIGEST_MD5_BASE64])
{
    EVP_EncodeBlock((unsigned char *)out, digest, DIGEST_MD5_BYTES);
}

struct digest_stream *digest_stream_open(enum digest_kind kind)
{
    struct digest_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->algorithm = algorithm_of(kind);
    stream->context = EVP_MD_CTX_new();
    /* An algorithm that is switched off (MD5 under FIPS) shows itself only when it is begun. */
    if (!stream->context || !digest_stream_begin(stream)) {
        digest_stream_close(stream);
        return NULL;
    }
    return stream;
}

bool digest_stream_begin(struct digest_stream *stream)
{
    return EVP_DigestInit_ex(stream->context, stream->algorithm, NULL) == 1;
}

bool digest_stream_update(struct digest_stream *stream, const void *bytes, size_t length)
{
    return EVP_DigestUpdate(stream->context, bytes, length) == 1;
}

bool digest_stream_end(struct digest_stream *stream, uint8_t *ret_digest)
{
    return EVP_DigestFinal_ex(stream->context, ret_digest, NULL) == 1;
}

void digest_stream_close(struct digest_stream *stream)
{
    if (!stream)
        return;
    EVP_MD_CTX_free(stream->context);
    free(stream);
}
