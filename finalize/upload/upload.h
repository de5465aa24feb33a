/*
 * upload - one file's way into the bucket: asked for its next step, told the result.
 *
 * Owns the order of things: is the key free, is there something to go on from, which parts are
 * missing, complete, confirm. Does no I/O but for the journal, and knows no time but what it is
 * told, so that tests drive it without a network. A step that leaves something in the bucket
 * is in the journal before it is asked for.
 *
 * A row that is UPLOADED was confirmed by an earlier run: HeadObject asks again before anything
 * is built on it, and it becomes PENDING when the object is not there any more.
 *
 *   HEAD ──┬─ ours already ─────────────────────────────────────────► done
 *          ├─ ours, but shorter: it was rescued; this one takes its place
 *          ├─ another's object: another key, HEAD again
 *          └─ free ─┬─ small: read, put ──────────────► confirm ─► done
 *                   └─ large: (list │ create) ─► parts ─► HEAD ──► complete ─┐
 *                                                        done ◄─ confirm ◄───┘
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/hash/hasher.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/stats.h"
#include "finalize/upload/upload_step.h"

#include <stdbool.h>
#include <stdint.h>

struct upload_options {
    const struct settings *settings; /* all pointers are borrowed while the upload is open */
    struct journal *journal;
    struct journal_file *file; /* its row; kept up to date by the upload */
    struct rng *rng;
    struct stats *stats;  /* counted in; may be NULL */
    int fd;               /* file->object_bytes bytes */
    const char *base_key; /* the key to use when it is free */
    const char *content_type;
    const char *session_id;
    /*
     * The file's writer has not finished: object_bytes is what there is of it now. Sends the parts
     * that will not change any more, as far as one can know, and leaves the upload open. For a row
     * that is PENDING and whose phase is NONE, CREATING or OPEN.
     */
    bool growing;
    bool fragmented; /* see reconcile.h */
    /*
     * The file is not there to be sent, or is not to be: HeadObject tells whether the object is
     * there, where the row says. When it is not, the upload ends with ERROR_CHANGED, and the row
     * says what is left: PENDING, and nothing that may still become the object.
     */
    bool only_look;
    /* Tells whether the file is still the one that file->identity describes. */
    bool (*unchanged)(void *context);
    /* Something that a person may want to know; one sentence. */
    void (*report)(void *context, const char *sentence);
    void *context;
};

struct upload;

/* ERROR_TRANSIENT without memory. Nothing is asked of the bucket yet. */
bool upload_open(const struct upload_options *options, struct upload **ret_upload,
                 struct error *err) __attribute__((warn_unused_result));
/* Says by `report`, if it was not said yet, what was sent again and why (resend.h). */
void upload_close(struct upload *upload);

/*
 * The next step. `may_send`: a request may be started now; reads may be asked for in any case.
 * `now_ms` is a clock that only goes forward, `now` is seconds since 1970. Fails only when the
 * journal does.
 */
bool upload_next(struct upload *upload, bool may_send, uint64_t now_ms, int64_t now,
                 struct upload_step *ret_step, struct error *err)
    __attribute__((warn_unused_result));

/* Report what came of a step. Fail only when the journal does. */
bool upload_take_bytes(struct upload *upload, unsigned slot, const struct hasher_result *result,
                       struct error *err) __attribute__((warn_unused_result));
bool upload_take_reply(struct upload *upload, unsigned slot, struct s3_result *result,
                       uint64_t now_ms, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

/*
 * How it ended, after UPLOAD_STEP_END: NULL when the object was confirmed (the row says UPLOADED
 * then), or of a growing file when all that can be sent now was acknowledged. Else ERROR_CHANGED
 * when the file is not what it was, ERROR_TRANSIENT or ERROR_PERMANENT.
 */
const struct error *upload_error(const struct upload *upload);

/* On the clock of `now_ms`: it ended since the server asked for a pause until then; 0: it did not.
 */
uint64_t upload_asked_until_ms(const struct upload *upload);

/* Bytes of the file that the bucket is known to hold, and how many of them were there before this
 * run. */
void upload_progress(const struct upload *upload, uint64_t *ret_held, uint64_t *ret_kept);
