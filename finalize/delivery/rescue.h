/*
 * rescue - a recording whose recorder is gone for good: what the bucket holds of it becomes an
 * object that plays, and the backend is told.
 *
 * The parts of an upload cannot be read before it is completed. So it is completed first, from
 * the parts that are there in a row from number 1 on, and looked at then: a recording in fragments
 * gets its index, as the finalizer makes it, by a second upload whose parts the server copies.
 *
 * What must not be forgotten is in the bucket, since there is no journal: an object <key>.rescued,
 * made before the upload is completed, which carries the recording's mark (jibri-mark) once the
 * backend was told. A call that was killed is repeated; a recorder that comes back after all knows
 * by it what happened (upload_rescued.c).
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/s3/network.h"

#include <stdbool.h>
#include <stdint.h>

struct rescue { /* all borrowed */
    const struct settings *settings;
    struct loop *loop;
    struct s3 *s3;
    struct rng *rng;
    bool (*stop_requested)(void *context);
    /* Something that a person may want to know; one sentence. */
    void (*report)(void *context, const char *sentence);
    void *context;
};

/* A multipart upload that looks like that of a recording: by its key, and by the sizes of its
 * parts. */
struct rescue_upload {
    char key[S3_MAX_KEY_BYTES + 1];
    char upload_id[S3_UPLOAD_ID_SIZE];
    int64_t started_at;   /* seconds since 1970; 0: the server doesn't say */
    int64_t last_part_at; /* when the last part came; likewise, or there is none */
    unsigned parts;       /* that the bucket holds */
    unsigned in_a_row;    /* of them, those from number 1 on without a gap */
    uint64_t bytes;       /* of these */
    uint64_t all_bytes;
    bool of_rescue; /* begun for the index by a call that was killed: the next call of this key
                       aborts it */
};

/* The file's name in the key: its last name, without what the prefix of the settings puts before
 * it and without a suffix "~2". Appended to `out`. */
void rescue_append_name(const struct settings *settings, const char *key, struct buffer *out);

/*
 * Tells of each upload in the bucket that looks like a recording's, in the server's order; of those
 * of `key` alone unless that is NULL. Fails when the bucket can't be asked, or `found` does.
 */
bool rescue_list(const struct rescue *rescue, const char *key,
                 bool (*found)(void *context, const struct rescue_upload *upload,
                               struct error *err),
                 void *context, struct error *err) __attribute__((warn_unused_result));

struct rescue_result {
    bool was_there;          /* it had been completed before this call */
    unsigned parts_left_out; /* by this call, since they come after a gap */
    uint64_t bytes;          /* of the object, confirmed by HEAD */
    bool plays;              /* else it is no recording in fragments */
    bool indexed;            /* it is an ordinary mp4; else in fragments, which play as well */
    uint64_t duration_ms;    /* until when it plays; 0: not known */
    bool told;               /* the backend was, by this call or an earlier one */
    int64_t backend_row;     /* 0: by an earlier one, or notices are switched off */
};

/*
 * Completes the upload (one that is not `of_rescue`), or goes on with the object at `key` that an
 * earlier call left (`upload` NULL). `ret_result` says how far it came when it fails:
 * ERROR_NO_INPUT when there is nothing to complete, ERROR_PERMANENT when another object has the
 * key, when what there is does not play, or when the backend refuses the notice; ERROR_TRANSIENT,
 * ERROR_STOPPED.
 */
bool rescue_complete(const struct rescue *rescue, const char *key,
                     const struct rescue_upload *upload, struct rescue_result *ret_result,
                     struct error *err) __attribute__((warn_unused_result));
