/*
 * upload_private - what upload.c (which asks) and upload_replies.c (which judges) share.
 */
#ifndef FINALIZE_UPLOAD_PRIVATE_H
#define FINALIZE_UPLOAD_PRIVATE_H

#include "finalize/upload/upload.h"
#include "finalize/upload/upload_adopt.h"
#include "finalize/upload/upload_listing.h"
#include "finalize/upload/upload_parts.h"
#include "finalize/upload/upload_strays.h"

enum upload_stage {
    UPLOAD_STAGE_PROBE,    /* HEAD: is the key free? */
    UPLOAD_STAGE_REASON,   /* GET: why was HEAD refused? */
    UPLOAD_STAGE_ADOPT,    /* an object of this session is there: is it this file? */
    UPLOAD_STAGE_PUT_READ, /* hash a small file */
    UPLOAD_STAGE_PUT,
    UPLOAD_STAGE_ORPHANS, /* look for an upload whose id was never learned */
    UPLOAD_STAGE_CREATE,
    UPLOAD_STAGE_LIST, /* compare the journal with what the bucket holds */
    UPLOAD_STAGE_PARTS,
    UPLOAD_STAGE_CHECK_KEY, /* HEAD: is the key still free? */
    UPLOAD_STAGE_COMPLETE,
    UPLOAD_STAGE_CONFIRM, /* HEAD: is it there, whole, and ours? */
    UPLOAD_STAGE_ABORT,
    UPLOAD_STAGE_ENDED
};

struct upload {
    struct upload_options options;
    enum upload_stage stage;
    enum upload_stage stage_after_reason;
    struct error error;

    /* The control request: the one that isn't a part's. */
    bool under_way;
    unsigned tries;
    uint64_t not_before_ms;
    struct retry_streak streak;

    unsigned fresh_starts;
    unsigned completes; /* that did not work */
    unsigned blind_completes;
    unsigned missing_confirms;
    bool all_held; /* every part was compared or acknowledged in this run */

    struct upload_listing listing;
    struct s3_object_metadata metadata;
    struct upload_adopt *adopt; /* NULL when there is no candidate */
    struct hasher_result put_bytes;
    struct buffer complete_body;
    struct upload_strays strays;
    struct upload_parts parts;
};

/* Goes on with another stage; its tries are counted from nothing. */
void upload_go_to(struct upload *upload, enum upload_stage stage);

/* Goes on with the parts of the upload that is open. */
void upload_begin_parts(struct upload *upload);

/* Ends the upload for the reason `error`. */
void upload_fail(struct upload *upload, const struct error *error);

/* Writes `phase`, since `now`, and all else of the row to the journal. */
bool upload_save_phase(struct upload *upload, enum journal_phase phase, int64_t now,
                       struct error *err) __attribute__((warn_unused_result));

/*
 * True, and ended, when the file was written to since its row was made: whatever was read of it may
 * be a mixture.
 */
bool upload_end_if_changed(struct upload *upload);

/*
 * Takes the base key, or the next suffixed one that no other file of the journal has, and goes on
 * with looking whether the bucket has it.
 */
bool upload_choose_key(struct upload *upload, struct error *err)
    __attribute__((warn_unused_result));

/* Nothing of this file is in the bucket any more: begins anew, for the reason `why`, a few times.
 */
bool upload_start_afresh(struct upload *upload, const char *why, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

/* Takes what was read for UPLOAD_STAGE_ADOPT. */
bool upload_take_adopted(struct upload *upload, const struct hasher_result *bytes,
                         struct error *err) __attribute__((warn_unused_result));

/* Takes the reply to the control request. */
bool upload_take_control_reply(struct upload *upload, struct s3_result *result, uint64_t now_ms,
                               int64_t now, struct error *err) __attribute__((warn_unused_result));

#endif
