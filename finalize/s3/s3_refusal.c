/* s3_refusal - maps an error reply to an outcome: by s3_code.h's list, then by the operation, the
 * settings and the reply's headers. Corrects the region and the clock that requests are signed
 * with. */
#include "finalize/s3/s3_code.h"
#include "finalize/s3/s3_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CORRECTIONS 3u
#define SAME_CLOCK_S    60 /* offsets that differ by less count as unchanged */

/* Counts a correction, up to a limit. Requests that are under way were signed before it and may get
 * the same reply: `stale_left` of them are signed again without another correction. */
static enum s3_outcome sign_again(struct s3 *s3, unsigned *corrections)
{
    if (*corrections >= MAX_CORRECTIONS)
        return S3_REFUSED;
    ++*corrections;
    s3->stale_left = (unsigned)s3->settings->s3_parallel + MAX_CORRECTIONS;
    return S3_SIGN_AGAIN;
}

/* Whether the reply may belong to a request that was signed before the last correction. */
static bool is_stale(struct s3 *s3)
{
    return s3->stale_left && s3->stale_left--;
}

/* Retries even without new keys: another program may be about to write a new token to its file. */
static enum s3_outcome renew_keys(struct s3 *s3)
{
    if (is_stale(s3))
        return S3_SIGN_AGAIN;
    if (credentials_renew(s3->credentials, true) &&
        sign_again(s3, &s3->key_corrections) == S3_SIGN_AGAIN)
        return S3_SIGN_AGAIN;
    return S3_RETRY;
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
        return is_stale(s3) ? S3_SIGN_AGAIN : S3_REFUSED;
    if (sign_again(s3, &s3->region_corrections) == S3_REFUSED)
        return S3_REFUSED;
    memcpy(s3->region, region, strlen(region) + 1);
    return S3_SIGN_AGAIN;
}

static enum s3_outcome learn_clock(struct s3 *s3, const struct http_reply *reply, time_t now,
                                   struct s3_refusal *refusal)
{
    long ahead;

    if (!http_reply_clock(reply, now, &ahead))
        return S3_REFUSED;
    snprintf(refusal->hint, sizeof refusal->hint, "the server's clock is %ld s %s ours",
             labs(ahead), ahead < 0 ? "behind" : "ahead of");
    if (labs(ahead - s3->offset_s) >= SAME_CLOCK_S) {
        if (sign_again(s3, &s3->clock_corrections) == S3_REFUSED)
            return S3_REFUSED;
        s3->offset_s = ahead;
        return S3_SIGN_AGAIN;
    }
    if (is_stale(s3))
        return S3_SIGN_AGAIN;
    /* A proxy that buffers kept the request for so long: treated as any other failure, with a
     * pause. */
    snprintf(refusal->hint, sizeof refusal->hint,
             "the clocks agree: the request was over 15 minutes on its way");
    return S3_RETRY;
}

/* Names the target of a redirect that is not followed. */
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

/* A refused HEAD, of which there is the status and no more. */
static enum s3_outcome outcome_of_head(struct s3 *s3, const struct http_reply *reply)
{
    const struct s3_code *meant = s3_code_find("", reply->status, "");
    char region[S3_REGION_SIZE];
    int status = reply->status;

    if (status == 404)
        return S3_NO_SUCH_KEY;
    if (status >= 500 || status == 408 || status == 429)
        return meant->outcome;
    http_reply_header(reply, "x-amz-bucket-region", region, sizeof region);
    if ((meant->meaning == S3_MEANS_REGION || status == 400 || status == 403) &&
        is_region(region) && strcmp(region, s3->region) != 0)
        return learn_region(s3, region);
    return S3_ASK_REASON;
}

enum s3_outcome s3_judge_refusal(struct s3 *s3, const struct s3_call *call,
                                 const struct http_reply *reply, time_t now,
                                 struct s3_refusal *refusal)
{
    const struct s3_code *meant =
        s3_code_find(refusal->xml.code, reply->status, refusal->xml.message);

    if (call->operation == S3_HEAD_OBJECT)
        return outcome_of_head(s3, reply);
    if (meant->meaning == S3_MEANS_REGION)
        return outcome_of_region(s3, reply, refusal);
    if (meant->meaning == S3_MEANS_CLOCK)
        return learn_clock(s3, reply, now, refusal);
    if (meant->meaning == S3_MEANS_EXPIRED)
        return renew_keys(s3);
    if ((meant->meaning == S3_MEANS_KEY_ID || meant->meaning == S3_MEANS_SECRET) &&
        credentials_renew(s3->credentials, false))
        return sign_again(s3, &s3->key_corrections);
    /* Ceph says so of an upload id that was aborted. */
    if (meant->outcome == S3_NO_SUCH_KEY && s3_is_about_upload(call->operation))
        return S3_NO_SUCH_UPLOAD;
    if (meant->outcome == S3_KEY_TAKEN && !is_conditional(s3, call))
        return S3_REFUSED;
    if (meant->outcome == S3_BAD_PART && call->operation != S3_COMPLETE_UPLOAD)
        return S3_REFUSED;
    if (reply->status == 400 && !refusal->is_s3 && !s3->endpoint.https)
        snprintf(refusal->hint, sizeof refusal->hint,
                 "where the port is one of TLS, CONFOMEET_S3_URL is to begin with https://");
    return meant->outcome;
}
