/*
 * upload_parts - the parts of one multipart upload: read, compared, sent, acknowledged.
 *
 * Walks the part plan once, from the first part to the last (of a file that grows: those that will
 * not change any more, as far as one can know), with a few parts under way at a time
 * (in slots). What reconcile calls held is not sent; each acknowledged part is in the journal
 * before the next step is given out. Used by upload*.c alone, which do everything else about an
 * upload.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/hash/hasher.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/stats.h"
#include "finalize/upload/reconcile.h"
#include "finalize/upload/retry.h"
#include "finalize/upload/upload_step.h"

#include <stdbool.h>
#include <stdint.h>

/* Parts that may be hashed and waiting to be sent, beside those that are being sent. */
#define UPLOAD_PARTS_READ_AHEAD 4u
#define UPLOAD_PARTS_MAX_SLOTS  (SETTINGS_MOST_PARALLEL + UPLOAD_PARTS_READ_AHEAD)

struct upload_slot {
    unsigned part_number; /* 0: the slot is free */
    bool verifying;       /* the bytes are read to be compared, not to be sent */
    bool under_way;       /* read while sha256_hex is "", else sent */
    enum resend_reason again;
    unsigned tries;
    unsigned signings;      /* one after the other */
    uint64_t not_before_ms; /* nothing is sent before */
    uint8_t fingerprint[16];
    char sha256_hex[DIGEST_SHA256_HEX]; /* "": to be read first */
    char md5_base64[DIGEST_MD5_BASE64];
};

struct upload_parts {
    struct journal *journal; /* all borrowed */
    const struct journal_file *file;
    struct rng *rng;
    struct stats *stats;     /* counted in; may be NULL */
    struct resends *resends; /* likewise */
    int fd;
    bool content_md5;
    bool growing, fragmented; /* see reconcile.h */
    uint64_t patience_ms;

    /* The walk ends when one of these is set. */
    bool all_held;      /* the bucket holds every part that is to be sent now */
    bool gone;          /* the upload id is not known any more; goes before `error` */
    struct error error; /* ERROR_CHANGED: the file became shorter */

    unsigned count;       /* of the file */
    unsigned next_number; /* not yet looked at: this one and those above */
    unsigned slot_count;
    unsigned busy;         /* slots that are not free */
    unsigned acknowledged; /* parts, in this walk */
    struct upload_slot slots[UPLOAD_PARTS_MAX_SLOTS];
    struct retry_streak streak;
    uint64_t bytes_held; /* by the bucket, compared or acknowledged in this run */
    uint64_t bytes_kept; /* of those, the ones that were there before */
};

/* Begins the walk over the parts of `parts->file`; the borrowed fields are set by the caller. */
void upload_parts_begin(struct upload_parts *parts, unsigned at_once);

/*
 * The next thing to do. Slots in `ret_step` count from 1. UPLOAD_STEP_NONE also when the walk
 * has ended. `may_send`: a request may be started. Fails when the journal
 * does.
 */
bool upload_parts_next(struct upload_parts *parts, bool may_send, uint64_t now_ms,
                       struct upload_step *ret_step, struct error *err)
    __attribute__((warn_unused_result));

bool upload_parts_take_bytes(struct upload_parts *parts, unsigned slot,
                             const struct hasher_result *result, struct error *err)
    __attribute__((warn_unused_result));

bool upload_parts_take_reply(struct upload_parts *parts, unsigned slot,
                             const struct s3_result *result, uint64_t now_ms, int64_t now,
                             struct error *err) __attribute__((warn_unused_result));
