/*
 * s3_operation - the operations of S3 and their outcomes: the two enums and their words.
 *
 * For code that counts and reports requests (stats, metrics); s3.h builds them.
 */
#pragma once

enum s3_operation {
    S3_HEAD_OBJECT,
    S3_GET_RANGE, /* of one byte: asks for the reason why HEAD, whose replies have no body, was
                     refused */
    S3_PUT_OBJECT,
    S3_CREATE_UPLOAD,
    S3_UPLOAD_PART, /* with copy_from: the server copies the bytes */
    S3_LIST_PARTS,
    S3_COMPLETE_UPLOAD,
    S3_ABORT_UPLOAD,
    S3_LIST_UPLOADS, /* those of exactly one key, or of all that begin with a prefix */
    S3_DELETE_OBJECT /* of `check` alone: of the one object that it made itself */
};

/* What a reply means for the sender of the request. */
enum s3_outcome {
    S3_DONE,           /* it worked; the result's fields hold what the reply said */
    S3_NO_SUCH_KEY,    /* the bucket has no such object */
    S3_NO_SUCH_UPLOAD, /* the upload id is gone: completed, aborted or expired */
    S3_KEY_TAKEN,      /* a conditional write met an object */
    S3_BAD_PART, /* Complete: InvalidPart, InvalidPartOrder, EntityTooSmall: the parts are not what
                    we believe */
    S3_SIGN_AGAIN, /* clock or region were learned from the reply: build and send again at once */
    S3_ASK_REASON, /* HEAD was refused without a body: ask by S3_GET_RANGE */
    S3_SLOW_DOWN,  /* the server wants less: 429, 503, SlowDown; to be retried after a pause */
    S3_RETRY,      /* may work when it is sent again; the server may have acted */
    S3_REFUSED     /* will not work by itself; `err` says what and why */
};

/* Words by the enums' values, each list ended by NULL: S3's own, e.g. "UploadPart", and ours for
 * metrics, e.g. "slow_down". */
extern const char *const s3_operation_names[];
extern const char *const s3_outcome_names[];
