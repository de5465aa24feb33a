/*
 * resend - why bytes that were sent before are sent again: the list of reasons, and a count of
 * each.
 *
 * A reason is noted where the decision falls: reconcile.c for a part that is compared,
 * upload_listing.c for one that the bucket does not list, upload_parts.c for a request that is
 * repeated, and where an upload is begun again as a whole (upload.c, upload_key.c,
 * upload_multipart.c, upload_object.c). The counts become one sentence for each reason, which the
 * history of the recording shows.
 */
#pragma once

#include "finalize/s3/s3.h"

#include <stdbool.h>
#include <stdint.h>

enum resend_reason {
    RESEND_NOT, /* sent for the first time */
    RESEND_BYTES_CHANGED,
    RESEND_INDEXED,
    RESEND_NOT_LISTED,
    RESEND_ETAG_DIFFERS,
    RESEND_UNACKNOWLEDGED,
    RESEND_SLOW_DOWN,
    RESEND_SERVER_ERROR,
    RESEND_BROKEN_OFF,
    RESEND_DAMAGED,
    RESEND_SIGNATURE,
    RESEND_UPLOAD_GONE,
    RESEND_PARTS_REFUSED,
    RESEND_KEY_TAKEN,
    RESEND_SHORTER_FILE,
    RESEND_NOT_THERE,
    RESEND_NOT_THERE_ANY_MORE,
    RESEND_OTHER_BUCKET,
    RESEND_REASONS
};

struct resends {
    struct {
        unsigned parts;
        uint64_t bytes;
    } of[RESEND_REASONS];
};

/* What happened, as a part of a sentence: "the bytes changed since they were sent". */
const char *resend_text(enum resend_reason reason);

/* The reason to count when this reply has its request repeated: RESEND_NOT when nothing was sent.
 */
enum resend_reason resend_reason_of(const struct s3_result *result);

/* Counts a part, or an object that is sent whole. Does nothing for RESEND_NOT, or
 * when `resends` is NULL. */
void resend_add(struct resends *resends, enum resend_reason reason, uint64_t bytes);

#define RESEND_SENTENCE_SIZE 200
/*
 * Takes the first reason with a count and sets that to nothing: "sent again: 3 parts, 24 MiB: the
 * bytes changed since they were sent". False when nothing is counted.
 */
bool resend_take_sentence(struct resends *resends, char ret_sentence[RESEND_SENTENCE_SIZE]);
