#include "finalize/s3/s3_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows with a text come before those of the same code without one. */
static const struct s3_code codes[] = {
    /* There, or not there. */
    {"NoSuchKey", 0, NULL, S3_NO_SUCH_KEY, S3_MEANS_OTHER},
    {"NoSuchUpload", 0, NULL, S3_NO_SUCH_UPLOAD, S3_MEANS_OTHER},
    {"PreconditionFailed", 0, NULL, S3_KEY_TAKEN, S3_MEANS_OTHER},
    {"ConditionalRequestConflict", 0, NULL, S3_KEY_TAKEN, S3_MEANS_OTHER},
    {"InvalidPart", 0, NULL, S3_BAD_PART, S3_MEANS_OTHER},
    {"InvalidPartOrder", 0, NULL, S3_BAD_PART, S3_MEANS_OTHER},
    {"EntityTooSmall", 0, NULL, S3_BAD_PART, S3_MEANS_OTHER},
    /* Transient: less at once. */
    {"SlowDown", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"SlowDownRead", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"SlowDownWrite", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"ServiceUnavailable", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"Throttling", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"ThrottlingException", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"RequestThrottled", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"RequestLimitExceeded", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"TooManyRequests", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"BandwidthLimitExceeded", 0, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    /* Transient: the same again. */
    {"InternalError", 0, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"RequestTimeout", 0, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"OperationAborted", 0, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"ConcurrentModification", 0, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"BadDigest", 0, NULL, S3_RETRY, S3_MEANS_DAMAGED},
    {"IncompleteBody", 0, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"XAmzContentSHA256Mismatch", 0, NULL, S3_RETRY, S3_MEANS_DAMAGED},
    /* Corrected by the reply. */
    {"AuthorizationHeaderMalformed", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"PermanentRedirect", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"TemporaryRedirect", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"IllegalLocationConstraint", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"IllegalLocationConstraintException", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"RequestTimeTooSkewed", 0, NULL, S3_SIGN_AGAIN, S3_MEANS_CLOCK},
    /* A person is needed. Most have a status that says so too, but not within a 200 of Complete. */
    {"AccessDenied", 0, "cap exceeded", S3_REFUSED, S3_MEANS_QUOTA}, /* Backblaze B2 */
    {"AccessDenied", 0, "explicit deny", S3_REFUSED, S3_MEANS_POLICY},
    {"AccessDenied", 0, "GetObject of ", S3_REFUSED, S3_MEANS_RIGHT_TO_LIST},
    {"AccessDenied", 0, NULL, S3_REFUSED, S3_MEANS_RIGHT},
    {"AllAccessDisabled", 0, NULL, S3_REFUSED, S3_MEANS_CLOSED},
    {"AccountProblem", 0, NULL, S3_REFUSED, S3_MEANS_CLOSED},
    {"SignatureDoesNotMatch", 0, NULL, S3_REFUSED, S3_MEANS_SECRET},
    {"InvalidSignature", 0, NULL, S3_REFUSED, S3_MEANS_SECRET},
    {"InvalidAccessKeyId", 0, NULL, S3_REFUSED, S3_MEANS_KEY_ID},
    {"NoSuchBucket", 0, NULL, S3_REFUSED, S3_MEANS_NO_BUCKET},
    {"InvalidBucketName", 0, NULL, S3_REFUSED, S3_MEANS_BUCKET_NAME},
    {"ExpiredToken", 0, NULL, S3_RETRY, S3_MEANS_EXPIRED},
    {"TokenRefreshRequired", 0, NULL, S3_RETRY, S3_MEANS_EXPIRED},
    {"InvalidToken", 0, NULL, S3_REFUSED, S3_MEANS_KEY_ID},
    {"QuotaExceeded", 0, NULL, S3_REFUSED, S3_MEANS_QUOTA},
    {"XMinioAdminBucketQuotaExceeded", 0, NULL, S3_REFUSED, S3_MEANS_QUOTA},
    {"CloudTotalAliveSizeQuotaExceed", 0, NULL, S3_REFUSED, S3_MEANS_QUOTA},
    {"BucketMaxSizeExceeded", 0, NULL, S3_REFUSED, S3_MEANS_QUOTA},
    {"XMinioStorageFull", 0, NULL, S3_REFUSED, S3_MEANS_FULL},
    {"EntityTooLarge", 0, NULL, S3_REFUSED, S3_MEANS_TOO_LARGE},
    {"InvalidStorageClass", 0, NULL, S3_REFUSED, S3_MEANS_STORAGE_CLASS},
    {"MissingContentMD5", 0, NULL, S3_REFUSED, S3_MEANS_MD5_WANTED},
    {"InvalidRequest", 0, "Content-MD5", S3_REFUSED, S3_MEANS_MD5_WANTED},
    {"InvalidRequest", 0, NULL, S3_REFUSED, S3_MEANS_OTHER},
    {"MalformedXML", 0, NULL, S3_REFUSED, S3_MEANS_OTHER},
    {"NotImplemented", 0, NULL, S3_REFUSED, S3_MEANS_NOT_IMPLEMENTED},
    /* Statuses. */
    {"", 301, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"", 302, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"", 303, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"", 307, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"", 308, NULL, S3_SIGN_AGAIN, S3_MEANS_REGION},
    {"", 408, NULL, S3_RETRY, S3_MEANS_OTHER},
    {"", 412, NULL, S3_KEY_TAKEN, S3_MEANS_OTHER},
    {"", 413, NULL, S3_REFUSED, S3_MEANS_BODY_LIMIT},
    {"", 429, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"", 501, NULL, S3_REFUSED, S3_MEANS_NOT_IMPLEMENTED},
    {"", 503, NULL, S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"", 505, NULL, S3_REFUSED, S3_MEANS_OTHER}, /* HTTP version */
    {"", 507, NULL, S3_REFUSED, S3_MEANS_FULL},
    {"", 511, NULL, S3_REFUSED, S3_MEANS_OTHER}, /* a captive portal */
};

#define CODES (sizeof codes / sizeof codes[0])

static bool is_text_in(const struct s3_code *code, const char *text)
{
    return !code->text || strstr(text, code->text);
}

/* A status that is not in the list. 2xx: an <Error> that we do not know, in place of success. */
static const struct s3_code *of_class(int status)
{
    static const struct s3_code retry = {"", 500, NULL, S3_RETRY, S3_MEANS_OTHER};
    static const struct s3_code refused = {"", 400, NULL, S3_REFUSED, S3_MEANS_OTHER};

    return status >= 500 || (status >= 200 && status <= 299) ? &retry : &refused;
}

const struct s3_code *s3_code_find(const char *code, int status, const char *text)
{
    for (size_t i = 0; *code && i < CODES; i++)
        if (!strcmp(code, codes[i].code) && is_text_in(&codes[i], text))
            return &codes[i];
    for (size_t i = 0; i < CODES; i++)
        if (!*codes[i].code && codes[i].status == status)
            return &codes[i];
    return of_class(status);
}

const struct s3_code *s3_code_of_error(const struct error *error)
{
    return s3_code_find(error->s3_code, error->http_status, error->text);
}

const struct s3_code *s3_code_in(const char *text)
{
    const char *status = strstr(text, "HTTP status ");

    for (size_t i = 0; i < CODES; i++)
        if (*codes[i].code && strstr(text, codes[i].code) && is_text_in(&codes[i], text))
            return &codes[i];
    return s3_code_find("", status ? (int)strtol(status + strlen("HTTP status "), NULL, 10) : 0,
                        text);
}
