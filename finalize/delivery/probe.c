#include "finalize/delivery/probe.h"

#include "finalize/base/clock.h"
#include "finalize/base/rng.h"
#include "finalize/notify/notice.h"
#include "finalize/s3/network.h"
#include "finalize/upload/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PROBE_BYTES       1024u
#define PATIENCE_MS       30000u
#define CLOCK_TOLERANCE_S 60 /* servers refuse requests from 15 minutes on */

struct probe {
    const struct settings *settings;
    const struct probe_report *report;
    bool all_fine;
    struct loop *loop;
    struct s3 *s3;
    char key[S3_MAX_KEY_BYTES + 1];
    char upload_id[S3_UPLOAD_ID_SIZE];
    bool clock_told;
};

static void fine(struct probe *probe, const char *subject, const char *text)
{
    const struct probe_finding finding = {.fine = true, .subject = subject, .text = text};

    probe->report->finding(probe->report->context, &finding);
}

static void wrong(struct probe *probe, const char *subject, const char *text, const char *advice)
{
    const struct probe_finding finding = {.subject = subject, .text = text, .advice = advice};

    probe->all_fine = false;
    probe->report->finding(probe->report->context, &finding);
}

static void wrong_because(struct probe *probe, const char *subject, const struct error *error)
{
    const struct probe_finding finding = {.subject = subject, .text = error->text, .error = error};

    probe->all_fine = false;
    probe->report->finding(probe->report->context, &finding);
}

/* ---- the bucket ------------------------------------------------------------------------------ */

static void tell_clock(struct probe *probe)
{
    long ahead;
    char text[160];

    if (probe->clock_told || !s3_clock_ahead(probe->s3, &ahead))
        return;
    probe->clock_told = true;
    snprintf(text, sizeof text, "the server's clock is %ld s %s this machine's", labs(ahead),
             ahead < 0 ? "behind" : "ahead of");
    if (labs(ahead) > CLOCK_TOLERANCE_S)
        wrong(probe, "clock", text, "set this machine's clock, by NTP for instance");
    else
        fine(probe, "clock", text);
}

static bool ask(struct probe *probe, const struct s3_call *call, struct s3_result *ret_result)
{
    struct error error = ERROR_INIT;

    if (!network_ask(probe->loop, probe->s3, call, clock_now_ms() + PATIENCE_MS, ret_result,
                     &error)) {
        wrong_because(probe, "bucket", &error);
        return false;
    }
    tell_clock(probe);
    return true;
}

static struct s3_call call_of(struct probe *probe, enum s3_operation operation)
{
    return (struct s3_call){
        .operation = operation, .key = probe->key, .upload_id = probe->upload_id, .fd = -1};
}

/* HEAD of a key that does not exist: 404 is what it takes to tell that a key is free. */
static bool probe_head(struct probe *probe)
{
    struct s3_call call = call_of(probe, S3_HEAD_OBJECT);
    struct s3_result result;
    bool ok;

    if (!ask(probe, &call, &result))
        return false;
    if (result.outcome == S3_ASK_REASON) {
        s3_result_done(&result);
        call = call_of(probe, S3_GET_FIRST_BYTE);
        if (!ask(probe, &call, &result))
            return false;
    }
    ok = result.outcome == S3_NO_SUCH_KEY;
    if (!ok)
        wrong_because(probe, "reading", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool probe_create(struct probe *probe)
{
    struct s3_call call = call_of(probe, S3_CREATE_UPLOAD);
    struct s3_object_metadata metadata = {.mark = "00000000000000000000000000000000"};
    struct s3_result result;
    bool ok;

    call.content_type = "application/octet-stream";
    call.metadata = &metadata;
    if (!ask(probe, &call, &result))
        return false;
    ok = result.outcome == S3_DONE;
    if (ok)
        memcpy(probe->upload_id, result.upload_id, sizeof probe->upload_id);
    else
        wrong_because(probe, "writing", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool probe_part(struct probe *probe)
{
    static const char zeros[PROBE_BYTES];
    struct s3_call call = call_of(probe, S3_UPLOAD_PART);
    uint8_t digest[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    char hex[DIGEST_SHA256_HEX], base64[DIGEST_MD5_BASE64];
    struct s3_result result;
    bool ok = false;

    call.part_number = 1;
    call.fd = memfd_create("probe", MFD_CLOEXEC);
    call.length = sizeof zeros;
    if (call.fd < 0 || write(call.fd, zeros, sizeof zeros) != (ssize_t)sizeof zeros ||
        !digest_sha256(zeros, sizeof zeros, digest)) {
        wrong(probe, "writing", "no memory for a part", "try again");
        goto out;
    }
    digest_hex(digest, sizeof digest, hex);
    call.payload_sha256 = hex;
    if (probe->settings->s3_content_md5 && digest_md5(zeros, sizeof zeros, md5)) {
        digest_md5_base64(md5, base64);
        call.content_md5 = base64;
    }
    if (!ask(probe, &call, &result))
        goto out;
    ok = result.outcome == S3_DONE;
    if (!ok)
        wrong_because(probe, "writing", &result.error);
    s3_result_done(&result);
out:
    if (call.fd >= 0)
        close(call.fd);
    return ok;
}

static bool probe_abort(struct probe *probe)
{
    struct s3_call call = call_of(probe, S3_ABORT_UPLOAD);
    struct s3_result result;
    bool ok;

    if (!ask(probe, &call, &result))
        return false;
    ok = result.outcome == S3_DONE || result.outcome == S3_NO_SUCH_UPLOAD;
    if (!ok)
        wrong_because(probe, "aborting", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool choose_key(struct probe *probe, struct error *err)
{
    struct key_facts facts = {.session = "jibri-finalize-check",
                              .instance = probe->settings->instance_id,
                              .meeting = "0"};
    time_t now = time(NULL);
    char name[64];
    struct tm day = {.tm_year = 70, .tm_mday = 1};
    struct rng rng;

    rng_seed_from_system(&rng);
    (void)gmtime_r(&now, &day);
    facts.year = day.tm_year + 1900;
    facts.month = day.tm_mon + 1;
    facts.day = day.tm_mday;
    snprintf(name, sizeof name, "jibri-finalize-check-%016llx", (unsigned long long)rng_next(&rng));
    return key_choose(probe->settings->s3_key_prefix ? probe->settings->s3_key_prefix : "", &facts,
                      name, true, probe->key, err);
}

static bool open_bucket(struct probe *probe)
{
    struct error error = ERROR_INIT;

    if (choose_key(probe, &error) && s3_open(probe->settings, &probe->s3, &error))
        return true;
    wrong_because(probe, "bucket", &error);
    return false;
}

static void probe_bucket(struct probe *probe)
{
    char text[512];
    bool ok;

    if (!open_bucket(probe))
        return;
    snprintf(text, sizeof text, "objects of %.255s at %.200s can be looked at",
             probe->settings->s3_bucket, probe->settings->s3_url);
    if (!probe_head(probe))
        return;
    fine(probe, "reading", text);
    if (!probe_create(probe))
        return;
    ok = probe_part(probe);
    ok = probe_abort(probe) && ok;
    if (ok)
        fine(probe, "writing", "a multipart upload was created, took a part, and was aborted");
}

/* ---- the backend ----------------------------------------------------------------------------- */

/* A GET of the notice's address changes nothing. That it is answered at all is what can be known.
 */
static void probe_backend(struct probe *probe)
{
    struct http_request request;
    struct http_reply reply;
    struct buffer url;
    char text[640];

    if (!probe->settings->notice) {
        fine(probe, "backend", "notices are switched off (CONFOMEET_NOTICE)");
        return;
    }
    buffer_init(&url, 4096);
    notice_url(probe->settings, &url);
    http_request_init(&request, "GET");
    request.url = buffer_take(&url);
    request.idle_timeout_ms = probe->settings->backend_timeout_ms;
    request.reply_ceiling = 64u * 1024;
    if (!request.url) {
        wrong(probe, "backend", "no memory for a request", "try again");
        return;
    }
    snprintf(text, sizeof text, "%.400s ", request.url);
    loop_exchange(probe->loop, &request, clock_now_ms() + PATIENCE_MS, &reply);
    if (reply.status)
        snprintf(text + strlen(text), sizeof text - strlen(text), "answers (status %d)",
                 reply.status);
    else
        snprintf(text + strlen(text), sizeof text - strlen(text), "does not answer: %.150s",
                 reply.detail);
    if (!reply.status)
        wrong(probe, "backend", text,
              "correct CONFOMEET_BASE_URL (or XMPP_DOMAIN), or see why the backend is down");
    else if (reply.status >= 300 && reply.status < 400)
        wrong(probe, "backend", text,
              "set CONFOMEET_BASE_URL to where it redirects to: a notice is not redirected");
    else if (reply.status >= 500 && reply.status != 501)
        wrong(probe, "backend", text, "see why the backend fails");
    else
        fine(probe, "backend", text);
    http_reply_done(&reply);
}

/* Opens what it takes to ask a server. */
static bool open_network(struct probe *probe)
{
    struct error error = ERROR_INIT;

    if (loop_open(probe->settings, 0, NULL, &probe->loop, &error))
        return true;
    wrong_because(probe, "network", &error);
    return false;
}

static void close_network(struct probe *probe)
{
    s3_close(probe->s3);
    loop_close(probe->loop);
}

bool probe_all(const struct settings *settings, const struct probe_report *report)
{
    struct probe probe = {.settings = settings, .report = report, .all_fine = true};

    if (open_network(&probe)) {
        probe_bucket(&probe);
        probe_backend(&probe);
    }
    close_network(&probe);
    return probe.all_fine;
}

bool probe_answers(const struct settings *settings, const struct probe_report *report)
{
    struct probe probe = {.settings = settings, .report = report, .all_fine = true};

    if (open_network(&probe) && open_bucket(&probe)) {
        (void)probe_head(&probe);
        probe_backend(&probe);
    }
    close_network(&probe);
    return probe.all_fine;
}
