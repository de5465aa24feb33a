/*
 * upload_adopt - whether an object that the journal does not know is this very file.
 *
 * So it is when the journal was lost, or when a session directory was brought from another machine.
 * An object of the same session and size is compared by its ETag, which is the MD5 of its bytes, or
 * of the MD5s of its parts, on servers that do not encrypt; anything else stays another's object.
 * Used by upload*.c alone.
 */
#pragma once

#include "finalize/hash/hasher.h"
#include "finalize/s3/part.h"
#include "finalize/s3/s3.h"

#include <stdbool.h>
#include <stdint.h>

struct upload_adopt {
    char mark[S3_MARK_SIZE]; /* of the object */
    char etag[S3_ETAG_SIZE];
    uint64_t object_bytes;
    struct part_plan plan; /* base_bytes 0: stored by PutObject */
    unsigned count;        /* of parts; 1 for PutObject */
    unsigned next;         /* to be read, from 1 */
    uint8_t part_digests[10000][DIGEST_MD5_BYTES];
};

/*
 * A candidate, or NULL: `head` is of another session or size, carries no mark, or its ETag says
 * nothing (or there is no memory). The caller frees it by free().
 */
struct upload_adopt *upload_adopt_begin(const struct s3_result *head, uint64_t object_bytes);

/* The next range to be read with HASHER_WANTS_MD5; false when all were. */
bool upload_adopt_next(const struct upload_adopt *adopt, uint64_t *ret_offset,
                       uint64_t *ret_length);

/* Takes the bytes that were read. False when the comparison can't go on. */
bool upload_adopt_take(struct upload_adopt *adopt, const struct hasher_result *bytes);

/* After the last range: whether the object holds these very bytes. */
bool upload_adopt_is_same(const struct upload_adopt *adopt);
