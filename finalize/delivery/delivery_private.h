/*
 * delivery_private - what the files delivery*.c share.
 */
#pragma once

#include "finalize/delivery/delivery.h"
#include "finalize/session/metadata.h"
#include "finalize/upload/key.h"
#include "finalize/upload/retry.h"
#include "finalize/upload/upload.h"
#include "finalize/upload/upload_parts.h"

#define DELIVERY_NOTICE_SLOT (UPLOAD_PARTS_MAX_SLOTS + 1)

struct delivery {
    struct delivery_options options;
    struct journal_file file;
    int fd;                  /* the file */
    int upload_fd;           /* the bytes to upload: the same, or a redacted copy in memory */
    bool only_look;          /* see upload.h: there is no file, or it is not to be sent */
    int64_t uploaded_before; /* the row's uploaded_at, if that was of an earlier run; else 0 */
    int64_t mtime_ns;        /* of the file; the row of one that grows has none */
    struct metadata metadata;
    char base_key[S3_MAX_KEY_BYTES + 1];
    struct upload *upload;                            /* NULL once it is over */
    struct s3_call calls[UPLOAD_PARTS_MAX_SLOTS + 1]; /* under way, by slot */
    uint64_t started_ms[UPLOAD_PARTS_MAX_SLOTS + 1];  /* since when they are */
    bool ended;
    struct error error;
    int64_t retry_at; /* see struct delivery_outcome */

    bool notice_under_way;
    unsigned notice_tries;
    uint64_t notice_not_before_ms;
    struct retry_streak notice_streak;
};

/* Notes until when, on the clock of `now_ms`, the server asked to be left alone; 0: it did not. */
void delivery_note_asked(struct delivery *delivery, uint64_t until_ms, uint64_t now_ms,
                         int64_t now);

void delivery_end_with(struct delivery *delivery, const struct error *error);

/* The next step once the file is in the bucket: of the notice, or the end. */
bool delivery_next_notice_step(struct delivery *delivery, bool may_send, uint64_t now_ms,
                               int64_t now, struct delivery_step *ret_step, struct error *err)
    __attribute__((warn_unused_result));

bool delivery_take_notice_reply(struct delivery *delivery, const struct http_reply *reply,
                                uint64_t now_ms, int64_t now, struct error *err)
    __attribute__((warn_unused_result));
