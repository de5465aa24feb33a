/*
 * upload_private - what the files upload*.c share. upload.c makes the requests. upload_replies.c
 * handles what any reply may say, upload_object.c the replies about the object, and
 * upload_multipart.c those about the multipart upload. upload_key.c chooses keys.
 */
#pragma once

#include "finalize/upload/resend.h"
#include "finalize/upload/upload.h"
#include "finalize/upload/upload_adopt.h"
#include "finalize/upload/upload_listing.h"
#include "finalize/upload/upload_parts.h"

#define UPLOAD_MAX_FRESH_STARTS 3u /* of one run: what keeps vanishing is left for later */

enum upload_stage {
    UPLOAD_STAGE_PROBE,  /* HEAD: is the key free? */
    UPLOAD_STAGE_REASON, /* GET: why was HEAD refused? */
    UPLOAD_STAGE_RESCUE, /* HEAD of <key>.rescued: what is there, was it rescued? */
    UPLOAD_STAGE_ADOPT,  /* an object of this session is there: is it this file? */
    UPLOAD_STAGE_PUT,    /* a small file, once it is hashed */
    UPLOAD_STAGE_CREATE,
    UPLOAD_STAGE_LIST, /* compare the journal with what the bucket holds */
    UPLOAD_STAGE_PARTS,
    UPLOAD_STAGE_CHECK_KEY, /* HEAD: is the key still free? */
    UPLOAD_STAGE_COMPLETE,
    UPLOAD_STAGE_CONFIRM, /* HEAD: is it there, whole, and ours? */
    UPLOAD_STAGE_ENDED
};

struct upload {
    struct upload_options options;
    enum upload_stage stage;
    enum upload_stage stage_after_reason;
    struct error error;
    uint64_t now_ms; /* as the call that is under way gave them: see upload_next() */
    int64_t now;

    /* The control request: the one that isn't a part's. */
    bool under_way;
    bool located; /* file->location is where it goes to now; */
    bool moved;   /* another one than it was sent to before */
    unsigned tries;
    unsigned signings; /* of the same request, one after the other */
    uint64_t not_before_ms;
    struct retry_streak streak;

    unsigned fresh_starts;
    unsigned completes; /* that did not work */
    unsigned blind_completes;
    unsigned missing_confirms;
    bool unknown;  /* Complete said that there is no such upload */
    bool listed;   /* the walk over the parts began with a listing, else with a new upload */
    bool all_held; /* every part was compared or acknowledged in this run */
    struct resends resends;
    enum resend_reason put_again; /* why a PutObject is not the first one */

    /* An object of this recording that is shorter: see upload_rescued.c. */
    enum upload_stage stage_after_rescue;
    char rescued_mark[S3_MARK_SIZE];
    char record_key[S3_MAX_KEY_BYTES + 1];
    uint64_t rescued_bytes;
    bool replaces; /* the object is such a one, and will be replaced */

    struct upload_listing listing;
    struct s3_object_metadata metadata;
    struct upload_adopt *adopt;     /* NULL when there is no candidate */
    struct hasher_result put_bytes; /* of UPLOAD_STAGE_PUT, once it is `whole` */
    struct buffer complete_body;
    struct upload_parts parts;
};

/* A function below that returns bool and takes no `err` always returns true, unless its comment
 * says otherwise. A caller, which fails only when the journal does, can return its result. */

/* ---- upload.c ---- */

/* Enters another stage, and resets the count of tries. */
bool upload_go_to(struct upload *upload, enum upload_stage stage);

/* Ends the upload: for the reason that `upload->error` says already, or for `error`. */
bool upload_end(struct upload *upload);
bool upload_fail(struct upload *upload, const struct error *error);

/* Reports a sentence to the user. */
void upload_report(const struct upload *upload, const char *sentence);

/* Reports what was sent again and why, each once. False when there is nothing new to report. */
bool upload_report_resends(struct upload *upload);

/* Sets `phase`, starting now, and writes the whole row to the journal. */
bool upload_save_phase(struct upload *upload, enum journal_phase phase, struct error *err)
    __attribute__((warn_unused_result));

/* As upload_save_phase(), and deletes the row's parts in the same transaction. */
bool upload_save_without_parts(struct upload *upload, enum journal_phase phase, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Ends the upload and returns true when the file was modified after its row was made: the bytes
 * that were read may be a mixture of two versions.
 */
bool upload_end_if_changed(struct upload *upload);

/* ---- upload_key.c ---- */

/*
 * Takes the base key, or the next suffixed one that no other file of the journal has, and goes on
 * with looking whether the bucket has it.
 */
bool upload_choose_key(struct upload *upload, struct error *err)
    __attribute__((warn_unused_result));

/* The bucket has an object of this key that isn't this recording: it is left alone. */
bool upload_leave_key(struct upload *upload, struct error *err) __attribute__((warn_unused_result));

/* ---- upload_replies.c ---- */

/* Repeats the control request after a pause, or leaves it for now. */
bool upload_try_again(struct upload *upload, const struct s3_result *result);

/* As upload_try_again(), for a request whose fate is to be found out before it may be repeated. */
bool upload_look_again(struct upload *upload, enum upload_stage stage,
                       const struct s3_result *result);

/* True when it is not known whether the server did what was asked. */
bool upload_may_be_done(const struct s3_result *result);

/* Takes the reply to the control request. */
bool upload_take_control_reply(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));

/* ---- upload_object.c: replies of HeadObject, GetObject and PutObject ---- */

bool upload_take_head(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
bool upload_take_reason(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
bool upload_take_put(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
/* Asks why HEAD was refused. */
bool upload_ask_reason(struct upload *upload);
/* The object has our mark, but not our bytes: ends the upload. */
bool upload_fail_as_altered(struct upload *upload, const struct s3_result *result);
/* Takes what was read for UPLOAD_STAGE_ADOPT. */
bool upload_take_adopted(struct upload *upload, const struct hasher_result *bytes,
                         struct error *err) __attribute__((warn_unused_result));

/* ---- upload_rescued.c: an object that was made of what we sent, while we were away ---- */

/* False when it can't be one; else goes on with what tells. */
bool upload_look_for_rescue(struct upload *upload, const struct s3_result *result);
bool upload_take_record(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));

/* ---- upload_multipart.c: the multipart upload, from Create to Complete ---- */

/* The key is free: goes on from where the journal says that we are. */
bool upload_begin_on_free_key(struct upload *upload);

/* Goes on with the parts of the upload that is open. */
bool upload_begin_parts(struct upload *upload);

/*
 * Gives up the multipart upload, or the one of unknown id that a lost reply may have left: it is
 * housekeeping's from now on. Its parts are to be sent again for `reason`.
 */
bool upload_give_up(struct upload *upload, enum resend_reason reason, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Nothing of this file is in the bucket any more: begins again, a few times in a run. When it came
 * to nothing in earlier runs, too (file->taken_back), a person is needed; each later run tries once
 * more.
 */
bool upload_start_afresh(struct upload *upload, enum resend_reason reason, struct error *err)
    __attribute__((warn_unused_result));

/* CompleteMultipartUpload's body lists every part; that none is missing is checked once more. Ends
 * the upload when one is, or memory is short; fails when the journal does. */
bool upload_write_complete_body(struct upload *upload, struct error *err)
    __attribute__((warn_unused_result));

bool upload_take_created(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
bool upload_take_listed(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
bool upload_take_completed(struct upload *upload, struct s3_result *result, struct error *err)
    __attribute__((warn_unused_result));
