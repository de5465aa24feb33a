/*
 * s3_code - the one list of S3's error codes, and of HTTP statuses without a code: what each means
 * for the request, and for the person who has to do something about it.
 *
 * s3_refusal.c acts on the outcome, explain.h has the words for the meaning.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/s3/s3_operation.h"

enum s3_meaning {
    S3_MEANS_OTHER,
    S3_MEANS_RIGHT,           /* the access key has not the right to do this */
    S3_MEANS_RIGHT_TO_LIST,   /* that a key is free is said only to who may list the bucket */
    S3_MEANS_POLICY,          /* a policy denies it, whatever rights the access key has */
    S3_MEANS_CLOSED,          /* the provider closed the bucket or the account */
    S3_MEANS_KEY_ID,          /* the access key is not known */
    S3_MEANS_SECRET,          /* the secret key is another one's */
    S3_MEANS_EXPIRED,         /* the keys were good for a while, which is over */
    S3_MEANS_NO_BUCKET,       /* it does not exist */
    S3_MEANS_BUCKET_NAME,     /* it cannot exist */
    S3_MEANS_REGION,          /* the bucket is in another region, or elsewhere */
    S3_MEANS_CLOCK,           /* our clock differs from the server's */
    S3_MEANS_QUOTA,           /* a quota, a cap, or the end of the bucket's room */
    S3_MEANS_FULL,            /* the server's disks are full */
    S3_MEANS_TOO_LARGE,       /* the server takes no object or part of this size */
    S3_MEANS_BODY_LIMIT,      /* a proxy before the server takes no body of this size */
    S3_MEANS_STORAGE_CLASS,   /* there is no such class */
    S3_MEANS_NOT_IMPLEMENTED, /* the server lacks something that the settings ask for */
    S3_MEANS_MD5_WANTED,      /* Object Lock: Content-MD5 is demanded */
    S3_MEANS_DAMAGED          /* the bytes were damaged on their way, or the file changed */
};

struct s3_code {
    const char *code; /* "": a reply without a code, or with one that is not in the list */
    int status;       /* of those */
    const char *text; /* what must stand in the error's text, too; NULL: nothing */
    enum s3_outcome outcome;
    enum s3_meaning meaning;
};

/* What the list says of a code, or else of a status. `text`: the message, or all that is known of
 * the error. Never NULL. */
const struct s3_code *s3_code_find(const char *code, int status, const char *text);

/* The same of an error, and of the text of one that was kept (a row's last error). */
const struct s3_code *s3_code_of_error(const struct error *error);
const struct s3_code *s3_code_in(const char *text);
