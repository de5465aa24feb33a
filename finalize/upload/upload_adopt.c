#include "finalize/upload/upload_adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MD5_DIGITS (2 * DIGEST_MD5_BYTES)

/* "<32 hex digits>" is of one PutObject, "<32 hex digits>-<n>" of n parts. */
static bool etag_fits(const char *etag, unsigned count, bool multipart)
{
    char suffix[16] = "";

    if (strspn(etag, "0123456789abcdefABCDEF") != MD5_DIGITS)
        return false;
    if (multipart)
        snprintf(suffix, sizeof suffix, "-%u", count);
    return !strcmp(etag + MD5_DIGITS, suffix);
}

/* The plan by which the object has as many parts as its ETag says. Where two plans make equally
 * many of it, they are the same parts. */
static bool find_plan(const struct s3_result *head, uint64_t object_bytes,
                      struct part_plan *ret_plan, unsigned *ret_count)
{
    bool multipart = head->part_size_bytes > 0;

    *ret_plan = (struct part_plan){.base_bytes = head->part_size_bytes};
    *ret_count = multipart ? part_count(*ret_plan, object_bytes) : 1;
    if (multipart && !etag_fits(head->etag, *ret_count, true)) {
        ret_plan->grows_early = true;
        *ret_count = part_count(*ret_plan, object_bytes);
    }
    return *ret_count <= S3_MAX_PARTS && etag_fits(head->etag, *ret_count, multipart);
}

struct upload_adopt *upload_adopt_begin(const struct s3_result *head, uint64_t object_bytes)
{
    struct upload_adopt *adopt;
    struct part_plan plan;
    unsigned count;

    if (!head->same_session || !head->mark[0] || head->size_bytes != object_bytes)
        return NULL;
    if (head->part_size_bytes > S3_MAX_PART_BYTES || !find_plan(head, object_bytes, &plan, &count))
        return NULL;
    adopt = calloc(1, sizeof *adopt); /* pages that no part needs stay untouched */
    if (!adopt)
        return NULL;
    memcpy(adopt->mark, head->mark, sizeof adopt->mark);
    memcpy(adopt->etag, head->etag, sizeof adopt->etag);
    adopt->object_bytes = object_bytes;
    adopt->plan = plan;
    adopt->count = count;
    adopt->next = 1;
    return adopt;
}

bool upload_adopt_next(const struct upload_adopt *adopt, uint64_t *ret_offset, uint64_t *ret_length)
{
    struct part_range range = {0, adopt->object_bytes};

    if (adopt->next > adopt->count)
        return false;
    if (adopt->plan.base_bytes)
        range = part_range_in(adopt->plan, adopt->next, adopt->object_bytes);
    *ret_offset = range.offset;
    *ret_length = range.length;
    return true;
}

static unsigned hex_digit(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a' + 10);
}

bool upload_adopt_take(struct upload_adopt *adopt, const struct hasher_result *bytes)
{
    uint8_t *digest = adopt->part_digests[adopt->next - 1];

    if (!bytes->whole || !bytes->md5_hex[0])
        return false;
    for (size_t i = 0; i < DIGEST_MD5_BYTES; i++)
        digest[i] =
            (uint8_t)(hex_digit(bytes->md5_hex[2 * i]) << 4 | hex_digit(bytes->md5_hex[2 * i + 1]));
    adopt->next++;
    return true;
}

bool upload_adopt_is_same(const struct upload_adopt *adopt)
{
    uint8_t digest[DIGEST_MD5_BYTES];
    char hex[DIGEST_MD5_HEX];

    memcpy(digest, adopt->part_digests[0], sizeof digest);
    if (adopt->plan.base_bytes &&
        !digest_md5(adopt->part_digests, (size_t)adopt->count * DIGEST_MD5_BYTES, digest))
        return false;
    digest_hex(digest, sizeof digest, hex);
    return !strncasecmp(hex, adopt->etag, MD5_DIGITS);
}
