#include "finalize/hash/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool digest_sha256(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_SHA256_BYTES])
{
    return EVP_Digest(bytes, length, ret_digest, NULL, EVP_sha256(), NULL) == 1;
}

bool digest_md5(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_MD5_BYTES])
{
    return EVP_Digest(bytes, length, ret_digest, NULL, EVP_md5(), NULL) == 1;
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

/* A stream is one of OpenSSL's contexts, whose header stays in here. */
static EVP_MD_CTX *context_of(struct digest_stream *stream)
{
    return (EVP_MD_CTX *)(void *)stream;
}

struct digest_stream *digest_stream_open(enum digest_kind kind)
{
    const EVP_MD *algorithm = kind == DIGEST_MD5 ? EVP_md5() : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    /* An algorithm that is switched off (MD5 under FIPS) shows itself only when it is begun. */
    if (context && !EVP_DigestInit_ex(context, algorithm, NULL)) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    return (struct digest_stream *)(void *)context;
}

bool digest_stream_begin(struct digest_stream *stream)
{
    return EVP_DigestInit_ex(context_of(stream), NULL, NULL) == 1; /* of the same kind */
}

bool digest_stream_update(struct digest_stream *stream, const void *bytes, size_t length)
{
    return EVP_DigestUpdate(context_of(stream), bytes, length) == 1;
}

bool digest_stream_end(struct digest_stream *stream, uint8_t *ret_digest)
{
    return EVP_DigestFinal_ex(context_of(stream), ret_digest, NULL) == 1;
}

void digest_stream_close(struct digest_stream *stream)
{
    EVP_MD_CTX_free(context_of(stream));
}
