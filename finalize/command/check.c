#include "finalize/command/check.h"

#include "config/units.h"
#include "finalize/base/rng.h"
#include "finalize/http/loop.h"
#include "finalize/journal/journal_place.h"
#include "finalize/notify/notice.h"
#include "finalize/program/explain.h"
#include "finalize/s3/s3.h"
#include "finalize/session/recordings_dir.h"
#include "finalize/upload/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PROBE_BYTES       1024u
#define PATIENCE_MS       30000u
#define CLOCK_TOLERANCE_S 60 /* servers refuse requests from 15 minutes on */

struct check {
    const struct settings *settings;
    const struct check_report *report;
    bool all_fine;
    char recordings_dir[SESSION_PATH_SIZE];
    struct loop *loop;
    struct s3 *s3;
    char key[S3_MAX_KEY_BYTES + 1];
    char upload_id[S3_UPLOAD_ID_SIZE];
    bool clock_told;
};

static void fine(struct check *check, const char *subject, const char *text)
{
    check->report->finding(check->report->context, true, subject, text, NULL);
}

static void wrong(struct check *check, const char *subject, const char *text, const char *advice)
{
    check->all_fine = false;
    check->report->finding(check->report->context, false, subject, text, advice);
}

static void wrong_because(struct check *check, const char *subject, const struct error *error)
{
    wrong(check, subject, error->text, explain_advice(error));
}

/* ---- this machine
 * -------------------------------------------------------------------------------- */

static bool is_writable(const char *directory, int *ret_errno)
{
    int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    struct stat st;

    if (fd >= 0) {
        close(fd);
        return true;
    }
    *ret_errno = errno;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return false;
    /* A file system without nameless files: believe the permissions. */
    if (!stat(directory, &st) && S_ISDIR(st.st_mode) && !access(directory, W_OK | X_OK))
        return true;
    *ret_errno = errno;
    return false;
}

static void check_recordings_dir(struct check *check)
{
    const char *directory = recordings_dir_of(check->settings);
    struct error error = ERROR_INIT;
    struct statvfs space;
    char text[SESSION_PATH_SIZE + 64], free_space[32] = "?";
    int failure = 0;

    if (!directory) {
        wrong(check, "recordings", "no recordings directory is known",
              "set CONFOMEET_RECORDINGS_DIR to the directory that Jibri records to");
        return;
    }
    snprintf(check->recordings_dir, sizeof check->recordings_dir, "%s", directory);
    if (!is_writable(directory, &failure)) {
        error_set_errno(&error, ERROR_PERMANENT, failure, "%s is not a writable directory",
                        directory);
        wrong_because(check, "recordings", &error);
        return;
    }
    if (!statvfs(directory, &space))
        units_format_size((uint64_t)space.f_bavail * space.f_frsize, free_space, sizeof free_space);
    snprintf(text, sizeof text, "%s is writable, %s free", directory, free_space);
    fine(check, "recordings", text);
}

static void check_journal(struct check *check)
{
    char path[JOURNAL_PLACE_SIZE];
    char text[JOURNAL_PLACE_SIZE + 32];
    struct error error = ERROR_INIT;
    struct journal *journal;

    if (!check->recordings_dir[0] && !check->settings->journal)
        return; /* said already */
    if (!journal_place(check->settings, check->recordings_dir, path)) {
        wrong(check, "journal", "its path is too long", "set CONFOMEET_JOURNAL to a shorter one");
        return;
    }
    if (!journal_open(path, &journal, &error) || !journal_begin(journal, &error)) {
        wrong(check, "journal", error.text,
              "let this user write there, or set CONFOMEET_JOURNAL to a place where it can");
        return;
    }
    journal_rollback(journal);
    journal_close(journal);
    snprintf(text, sizeof text, "%s is writable", path);
    fine(check, "journal", text);
}

/* ---- the bucket
 * ------------------------------------------------------------------------------------ */

static void check_clock(struct check *check, const struct http_reply *reply)
{
    long ahead;
    char text[160];

    if (check->clock_told || !s3_reply_clock(reply, time(NULL), &ahead))
        return;
    check->clock_told = true;
    snprintf(text, sizeof text, "the server's clock is %ld s %s this machine's",
             ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
    if (labs(ahead) > CLOCK_TOLERANCE_S)
        wrong(check, "clock", text, "set this machine's clock, by NTP for instance");
    else
        fine(check, "clock", text);
}

/* Asks once more when the reply taught us the region or the clock. */
static bool ask(struct check *check, const struct s3_call *call, struct s3_result *ret_result)
{
    for (unsigned tries = 1;; tries++) {
        struct error error = ERROR_INIT;
        struct http_request request;
        struct http_reply reply;

        if (!s3_build(check->s3, call, time(NULL), &request, &error)) {
            wrong_because(check, "bucket", &error);
            return false;
        }
        loop_exchange(check->loop, &request, PATIENCE_MS, &reply);
        check_clock(check, &reply);
        s3_read(check->s3, call, &reply, time(NULL), ret_result);
        http_request_done(&request);
        http_reply_done(&reply);
        if (ret_result->outcome != S3_SIGN_AGAIN || tries > 3)
            return true;
        s3_result_done(ret_result);
    }
}

static struct s3_call call_of(struct check *check, enum s3_operation operation)
{
    return (struct s3_call){
        .operation = operation, .key = check->key, .upload_id = check->upload_id, .fd = -1};
}

/* HEAD of a key that does not exist: 404 is what it takes to tell that a key is free. */
static bool check_head(struct check *check)
{
    struct s3_call call = call_of(check, S3_HEAD_OBJECT);
    struct s3_result result;
    bool ok;

    if (!ask(check, &call, &result))
        return false;
    if (result.outcome == S3_ASK_REASON) {
        s3_result_done(&result);
        call = call_of(check, S3_GET_FIRST_BYTE);
        if (!ask(check, &call, &result))
            return false;
    }
    ok = result.outcome == S3_NO_SUCH_KEY;
    if (!ok)
        wrong_because(check, "reading", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool check_create(struct check *check)
{
    struct s3_call call = call_of(check, S3_CREATE_UPLOAD);
    struct s3_object_metadata metadata = {.mark = "00000000000000000000000000000000"};
    struct s3_result result;
    bool ok;

    call.content_type = "application/octet-stream";
    call.metadata = &metadata;
    if (!ask(check, &call, &result))
        return false;
    ok = result.outcome == S3_DONE;
    if (ok)
        memcpy(check->upload_id, result.upload_id, sizeof check->upload_id);
    else
        wrong_because(check, "writing", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool check_part(struct check *check)
{
    static const char zeros[PROBE_BYTES];
    struct s3_call call = call_of(check, S3_UPLOAD_PART);
    uint8_t digest[DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    char hex[DIGEST_SHA256_HEX], base64[DIGEST_MD5_BASE64];
    struct s3_result result;
    bool ok = false;

    call.part_number = 1;
    call.fd = memfd_create("probe", MFD_CLOEXEC);
    call.length = sizeof zeros;
    if (call.fd < 0 || write(call.fd, zeros, sizeof zeros) != (ssize_t)sizeof zeros ||
        !digest_sha256(zeros, sizeof zeros, digest)) {
        wrong(check, "writing", "no memory for a part", "try again");
        goto out;
    }
    digest_hex(digest, sizeof digest, hex);
    call.payload_sha256 = hex;
    if (check->settings->s3_content_md5 && digest_md5(zeros, sizeof zeros, md5)) {
        digest_md5_base64(md5, base64);
        call.content_md5 = base64;
    }
    if (!ask(check, &call, &result))
        goto out;
    ok = result.outcome == S3_DONE;
    if (!ok)
        wrong_because(check, "writing", &result.error);
    s3_result_done(&result);
out:
    if (call.fd >= 0)
        close(call.fd);
    return ok;
}

static bool check_abort(struct check *check)
{
    struct s3_call call = call_of(check, S3_ABORT_UPLOAD);
    struct s3_result result;
    bool ok;

    if (!ask(check, &call, &result))
        return false;
    ok = result.outcome == S3_DONE || result.outcome == S3_NO_SUCH_UPLOAD;
    if (!ok)
        wrong_because(check, "aborting", &result.error);
    s3_result_done(&result);
    return ok;
}

static bool choose_key(struct check *check, struct error *err)
{
    struct key_facts facts = {.session = "jibri-finalize-check",
                              .instance = check->settings->instance_id,
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
    return key_choose(check->settings->s3_key_prefix ? check->settings->s3_key_prefix : "", &facts,
                      name, true, check->key, err);
}

static bool open_bucket(struct check *check)
{
    struct error error = ERROR_INIT;

    if (choose_key(check, &error) && s3_open(check->settings, &check->s3, &error))
        return true;
    wrong_because(check, "bucket", &error);
    return false;
}

static void check_bucket(struct check *check)
{
    char text[512];
    bool ok;

    if (!open_bucket(check))
        return;
    snprintf(text, sizeof text, "objects of %.255s at %.200s can be looked at",
             check->settings->s3_bucket, check->settings->s3_url);
    if (!check_head(check))
        return;
    fine(check, "reading", text);
    if (!check_create(check))
        return;
    ok = check_part(check);
    ok = check_abort(check) && ok;
    if (ok)
        fine(check, "writing", "a multipart upload was created, took a part, and was aborted");
}

/* ---- the backend
 * ------------------------------------------------------------------------------------ */

/* A GET of the notice's address changes nothing. That it is answered at all is what can be known.
 */
static void check_backend(struct check *check)
{
    struct http_request request;
    struct http_reply reply;
    struct buffer url;
    char text[640];

    if (!check->settings->notice) {
        fine(check, "backend", "notices are switched off (CONFOMEET_NOTICE)");
        return;
    }
    buffer_init(&url, 4096);
    notice_url(check->settings, &url);
    http_request_init(&request, "GET");
    request.url = buffer_take(&url);
    request.idle_timeout_ms = check->settings->backend_timeout_ms;
    request.reply_ceiling = 64u * 1024;
    if (!request.url) {
        wrong(check, "backend", "no memory for a request", "try again");
        return;
    }
    snprintf(text, sizeof text, "%.400s ", request.url);
    loop_exchange(check->loop, &request, PATIENCE_MS, &reply);
    http_request_done(&request);
    if (reply.status)
        snprintf(text + strlen(text), sizeof text - strlen(text), "answers (status %d)",
                 reply.status);
    else
        snprintf(text + strlen(text), sizeof text - strlen(text), "does not answer: %.150s",
                 reply.detail);
    if (!reply.status)
        wrong(check, "backend", text,
              "correct CONFOMEET_BASE_URL (or XMPP_DOMAIN), or see why the backend is down");
    else if (reply.status >= 300 && reply.status < 400)
        wrong(check, "backend", text,
              "set CONFOMEET_BASE_URL to where it redirects to: a notice is not redirected");
    else if (reply.status >= 500 && reply.status != 501)
        wrong(check, "backend", text, "see why the backend fails");
    else
        fine(check, "backend", text);
    http_reply_done(&reply);
}

/* Opens what it takes to ask a server. */
static bool open_network(struct check *check)
{
    struct loop_options options = {.ca_file = check->settings->ca_file,
                                   .proxy = check->settings->proxy,
                                   .connect_timeout_ms = check->settings->s3_connect_timeout_ms,
                                   .wake_fd = -1};
    struct error error = ERROR_INIT;

    if (loop_open(&options, &check->loop, &error))
        return true;
    wrong_because(check, "network", &error);
    return false;
}

static void close_network(struct check *check)
{
    s3_close(check->s3);
    loop_close(check->loop);
}

bool check_run(const struct settings *settings, const struct check_report *report)
{
    struct check check = {.settings = settings, .report = report, .all_fine = true};

    fine(&check, "settings", "all values are valid");
    check_recordings_dir(&check);
    check_journal(&check);
    if (open_network(&check)) {
        check_bucket(&check);
        check_backend(&check);
    }
    close_network(&check);
    return check.all_fine;
}

bool check_servers(const struct settings *settings, const struct check_report *report)
{
    struct check check = {.settings = settings, .report = report, .all_fine = true};

    if (open_network(&check) && open_bucket(&check)) {
        (void)check_head(&check);
        check_backend(&check);
    }
    close_network(&check);
    return check.all_fine;
}
