#include "finalize/s3/s3_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CORRECTIONS 3u
#define SAME_CLOCK_S    60 /* offsets that differ by less are the same lesson */

/* Replies to requests that were under way when we learned say again what we know by then. */
static enum s3_outcome sign_stale_again(struct s3 *s3)
{
    if (s3->stale_replies >= s3->settings->s3_parallel + MAX_CORRECTIONS)
        return S3_REFUSED;
    s3->stale_replies++;
    return S3_SIGN_AGAIN;
}

static bool is_region(const char *text)
{
    return *text && strlen(text) < S3_REGION_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
               strlen(text);
}

static enum s3_outcome learn_region(struct s3 *s3, const char *region)
{
    if (!is_region(region))
        return S3_REFUSED;
    if (!strcmp(region, s3->region))
        return s3->region_learned ? sign_stale_again(s3) : S3_REFUSED;
    if (s3->region_corrections >= MAX_CORRECTIONS)
        return S3_REFUSED;
    s3->region_corrections++;
    s3->region_learned = true;
    memcpy(s3->region, region, strlen(region) + 1);
    return S3_SIGN_AGAIN;
}

static enum s3_outcome learn_clock(struct s3 *s3, const struct http_reply *reply, time_t now,
                                   struct s3_refusal *refusal)
{
    long ahead;

    if (!s3_reply_clock(reply, now, &ahead))
        return S3_REFUSED;
    snprintf(refusal->hint, sizeof refusal->hint, "the server's clock is %ld s %s ours",
             labs(ahead), ahead < 0 ? "behind" : "ahead of");
    if (labs(ahead - s3->offset_s) < SAME_CLOCK_S)
        return sign_stale_again(s3);
    if (s3->clock_corrections >= MAX_CORRECTIONS)
        return S3_REFUSED;
    s3->clock_corrections++;
    s3->offset_s = ahead;
    return S3_SIGN_AGAIN;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_about_region(const struct s3_refusal *refusal)
{
    static const char *const codes[] = {"AuthorizationHeaderMalformed", "PermanentRedirect",
                                        "TemporaryRedirect", "IllegalLocationConstraint",
                                        "IllegalLocationConstraintException"};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcmp(refusal->xml.code, codes[i]))
            return true;
    return is_redirect(refusal->status);
}

/* Who is meant by a redirect that we do not follow. */
static void explain_redirect(const struct s3 *s3, const struct http_reply *reply,
                             struct s3_refusal *refusal)
{
    char location[512], *host = refusal->xml.endpoint;
    const struct settings *settings = s3->settings;
    size_t bucket_length = strlen(settings->s3_bucket);
    bool https = s3->endpoint.https;

    if (http_reply_header(reply, "Location", location, sizeof location) &&
        strstr(location, "://")) {
        https = !strncmp(location, "https:", 6);
        host = strstr(location, "://") + 3;
        host[strcspn(host, "/?#")] = 0;
        if (strrchr(host, '@'))
            host = strrchr(host, '@') + 1;
    }
    if (settings->s3_addressing == SETTINGS_ADDRESSING_VIRTUAL &&
        !strncmp(host, settings->s3_bucket, bucket_length) && host[bucket_length] == '.')
        host += bucket_length + 1;
    if (!*host)
        return;
    if (https && !s3->endpoint.https && !strcmp(host, s3->endpoint.host))
        snprintf(refusal->hint, sizeof refusal->hint,
                 "the server wants https: CONFOMEET_S3_URL is to begin with https://");
    else
        snprintf(refusal->hint, sizeof refusal->hint,
                 "it points to %s://%.100s; credentials go to CONFOMEET_S3_URL's host only",
                 https ? "https" : "http", host);
}

static enum s3_outcome outcome_of_region(struct s3 *s3, const struct http_reply *reply,
                                         struct s3_refusal *refusal)
{
    char region[S3_REGION_SIZE];
    enum s3_outcome outcome;

    if (*refusal->xml.region)
        snprintf(region, sizeof region, "%s", refusal->xml.region);
    else
        http_reply_header(reply, "x-amz-bucket-region", region, sizeof region);
    outcome = learn_region(s3, region);
    if (outcome == S3_REFUSED)
        explain_redirect(s3, reply, refusal);
    return outcome;
}

static bool is_conditional(const struct s3 *s3, const struct s3_call *call)
{
    return s3->settings->s3_conditional_writes &&
           (call->operation == S3_PUT_OBJECT || call->operation == S3_COMPLETE_UPLOAD);
}

static bool outcome_of_code(const char *code, enum s3_outcome *ret_outcome)
{
    static const struct {
        const char *code;
        enum s3_outcome outcome;
    } rules[] = {
        {"NoSuchKey", S3_NO_SUCH_KEY},
        {"NoSuchUpload", S3_NO_SUCH_UPLOAD},
        {"PreconditionFailed", S3_KEY_TAKEN},
        {"ConditionalRequestConflict", S3_KEY_TAKEN},
        {"InvalidPart", S3_BAD_PART},
        {"InvalidPartOrder", S3_BAD_PART},
        {"EntityTooSmall", S3_BAD_PART},
        {"SlowDown", S3_SLOW_DOWN},
        {"SlowDownRead", S3_SLOW_DOWN},
        {"SlowDownWrite", S3_SLOW_DOWN},
        {"ServiceUnavailable", S3_SLOW_DOWN},
        {"Throttling", S3_SLOW_DOWN},
        {"ThrottlingException", S3_SLOW_DOWN},
        {"RequestThrottled", S3_SLOW_DOWN},
        {"RequestLimitExceeded", S3_SLOW_DOWN},
        {"TooManyRequests", S3_SLOW_DOWN},
        {"BandwidthLimitExceeded", S3_SLOW_DOWN},
        {"InternalError", S3_RETRY},
        {"RequestTimeout", S3_RETRY},
        {"OperationAborted", S3_RETRY},
        {"ConcurrentModification", S3_RETRY},
        /* The bytes were damaged on their way, or the file changed while it was read. */
        {"BadDigest", S3_RETRY},
        {"IncompleteBody", S3_RETRY},
        {"XAmzContentSHA256Mismatch", S3_RETRY},
        /* Would be refused by their status too, but not within a 200 of CompleteMultipartUpload. */
        {"AccessDenied", S3_REFUSED},
        {"SignatureDoesNotMatch", S3_REFUSED},
        {"InvalidAccessKeyId", S3_REFUSED},
        {"NoSuchBucket", S3_REFUSED},
        {"QuotaExceeded", S3_REFUSED},
        {"CloudTotalAliveSizeQuotaExceed", S3_REFUSED},
        {"BucketMaxSizeExceeded", S3_REFUSED},
        {"EntityTooLarge", S3_REFUSED},
        {"InvalidRequest", S3_REFUSED},
        {"MalformedXML", S3_REFUSED},
        {"NotImplemented", S3_REFUSED},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(code, rules[i].code)) {
            *ret_outcome = rules[i].outcome;
            return true;
        }
    return false;
}

static enum s3_outcome outcome_of_status(int status)
{
    switch (status) {
    case 429:
    case 503:
        return S3_SLOW_DOWN;
    case 408:
        return S3_RETRY;
    case 412:
        return S3_KEY_TAKEN;
    case 501: /* not implemented */
    case 505: /* HTTP version */
    case 507: /* storage full */
    case 511: /* a captive portal */
        return S3_REFUSED;
    default:
        break;
    }
    /* 2xx: an <Error> that we do not know, where success was to be. */
    return status >= 500 || (status >= 200 && status <= 299) ? S3_RETRY : S3_REFUSED;
}

/* A refused HEAD, of which there is the status and no more. */
static enum s3_outcome outcome_of_head(struct s3 *s3, const struct http_reply *reply)
{
    char region[S3_REGION_SIZE];
    int status = reply->status;

    if (status == 404)
        return S3_NO_SUCH_KEY;
    if (status >= 500 || status == 408 || status == 429)
        return outcome_of_status(status);
    http_reply_header(reply, "x-amz-bucket-region", region, sizeof region);
    if ((is_redirect(status) || status == 400 || status == 403) && is_region(region) &&
        strcmp(region, s3->region) != 0)
        return learn_region(s3, region);
    return S3_ASK_REASON;
}

enum s3_outcome s3_judge_refusal(struct s3 *s3, const struct s3_call *call,
                                 const struct http_reply *reply, time_t now,
                                 struct s3_refusal *refusal)
{
    enum s3_outcome outcome;

    if (call->operation == S3_HEAD_OBJECT)
        return outcome_of_head(s3, reply);
    if (is_about_region(refusal))
        return outcome_of_region(s3, reply, refusal);
    if (!strcmp(refusal->xml.code, "RequestTimeTooSkewed"))
        return learn_clock(s3, reply, now, refusal);
    if (!outcome_of_code(refusal->xml.code, &outcome))
        outcome = outcome_of_status(refusal->status);
    /* Ceph says so of an upload id that was aborted. */
    if (outcome == S3_NO_SUCH_KEY && s3_is_about_upload(call->operation))
        return S3_NO_SUCH_UPLOAD;
    if (outcome == S3_KEY_TAKEN && !is_conditional(s3, call))
        return S3_REFUSED;
    if (outcome == S3_BAD_PART && call->operation != S3_COMPLETE_UPLOAD)
        return S3_REFUSED;
    return outcome;
}
