/*
 * delivery - one file's way to the bucket and, for media, to the backend: upload, then notice.
 *
 * Turns what upload.h asks for into signed requests, and replies into what it is told. Asked for
 * its next step like an upload; does no I/O but for opening the file and the journal.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/delivery/pace.h"
#include "finalize/hash/hasher.h"
#include "finalize/http/http.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/stats.h"
#include "finalize/s3/s3.h"
#include "finalize/session/session_dir.h"
#include "finalize/upload/upload_step.h"

#include <stdbool.h>
#include <stdint.h>

enum delivery_message {                    /* what a person may want to know */
                        DELIVERY_REMARK,   /* `sentence` */
                        DELIVERY_RETRY,    /* a request failed and is tried again; `error` */
                        DELIVERY_UPLOADED, /* confirmed in the bucket */
                        DELIVERY_NOTIFIED  /* accepted by the backend */
};

struct delivery_options { /* all pointers are borrowed while the delivery is open */
    const struct settings *settings;
    struct journal *journal;
    struct session_dir *recording; /* NULL: it vanished */
    struct s3 *s3;
    struct rng *rng;
    struct stats *stats; /* counted in; may be NULL */
    /* A media file of the session, for {meeting} and the date in keys; "" when there is none. */
    const char *main_media_name;
    const char *metadata; /* metadata.members of metadata.h, for keys; or NULL */
    int32_t meeting_id;   /* for a name that has none; 0: there is none */
    bool unattended;  /* no person called: a notice that may have been accepted is not repeated */
    bool growing;     /* the file is still being written: see upload.h; no notice then */
    bool notify_only; /* nothing is stored, only looked for: see upload.h */
    void (*event)(void *context, enum delivery_message event, const struct journal_file *file,
                  const char *sentence, const struct error *error);
    void *context;
};

/* As struct upload_step, signed and ready for the loop and the hasher. */
struct delivery_step {
    enum upload_step_kind kind;
    unsigned slot;
    struct http_request request; /* the caller's to give to the loop */
    struct hasher_job read;      /* owner and slot are filled in */
    uint64_t until_ms;
};

struct delivery;

/*
 * Opens the file of `row` (copied). One that is in the bucket already, or may be, needs no file,
 * and no session directory: it is looked for there. ERROR_CHANGED when it isn't what the row says
 * any more; ERROR_TRANSIENT, ERROR_PERMANENT.
 */
bool delivery_open(const struct delivery_options *options, const struct journal_file *row,
                   struct delivery **ret_delivery, struct error *err)
    __attribute__((warn_unused_result));
void delivery_close(struct delivery *delivery);

/* As the functions of upload.h; `pace` (may be NULL) hears of every reply. Fail when the journal
 * does, or memory. */
bool delivery_next(struct delivery *delivery, bool may_send, uint64_t now_ms, int64_t now,
                   struct delivery_step *ret_step, struct error *err)
    __attribute__((warn_unused_result));
bool delivery_take_bytes(struct delivery *delivery, unsigned slot,
                         const struct hasher_result *result, struct error *err)
    __attribute__((warn_unused_result));
bool delivery_take_reply(struct delivery *delivery, unsigned slot, const struct http_reply *reply,
                         uint64_t now_ms, int64_t now, struct pace *pace, struct error *err)
    __attribute__((warn_unused_result));

struct delivery_outcome {
    const struct journal_file *file; /* its row as it is now; borrowed, as the error */
    const struct error *error;       /* NULL when the file is safe (the row says so) */
    int64_t retry_at; /* seconds since 1970, since the server asked for a pause until then that was
                         longer than the patience left; 0: it did not */
};

/* After UPLOAD_STEP_END. */
struct delivery_outcome delivery_outcome(const struct delivery *delivery);

void delivery_progress(const struct delivery *delivery, uint64_t *ret_held, uint64_t *ret_kept);
