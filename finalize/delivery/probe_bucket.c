/*
 * probe_bucket - whether the bucket would take a recording: each right that an upload needs, what
 * comes back of what was sent, and what the settings switch on.
 */
#include "finalize/delivery/probe_private.h"

#include "config/units.h"
#include "finalize/base/clock.h"
#include "finalize/base/rng.h"
#include "finalize/hash/digest.h"
#include "finalize/upload/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PROBE_NAME        "jibri-finalize-check" /* documented: an object of that key may stay */
#define PROBE_BYTES       1024u
#define PART_PATIENCE_MS  900000u
#define CLOCK_TOLERANCE_S 60 /* servers refuse requests from 15 minutes on */

static void tell_keys(struct probe *probe)
{
    const struct credentials *credentials = s3_credentials(probe->s3);
    char text[160];

    if (probe->keys_told || credentials_state(credentials, clock_now_ms()) != CREDENTIALS_READY)
        return;
    probe->keys_told = true;
    credentials_describe(credentials, text, sizeof text);
    probe_fine(probe, "keys", text);
}

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
        probe_wrong(probe, "clock", text, "set this machine's clock, by NTP for instance");
    else
        probe_fine(probe, "clock", text);
}

static bool ask(struct probe *probe, const struct s3_call *call, struct s3_result *ret_result)
{
    struct error error = ERROR_INIT;

    if (!network_ask(probe->loop, probe->s3, call, clock_now_ms() + probe->patience_ms, ret_result,
                     &error)) {
        probe_wrong_because(probe, "bucket", &error);
        return false;
    }
    tell_keys(probe);
    tell_clock(probe);
    return true;
}

static bool choose_key(struct probe *probe, const char *name, struct error *err)
{
    struct key_values values = {
        .session = PROBE_NAME, .instance = probe->settings->instance_id, .meeting = "0"};

    key_set_day(&values, time(NULL));
    return key_choose(probe->settings->s3_key_prefix, &values, name, true, probe->key, err);
}

static struct s3_call call_of(struct probe *probe, enum s3_operation operation)
{
    return (struct s3_call){.operation = operation,
                            .key = probe->key,
                            .upload_id = probe->upload_id,
                            .content_type = "application/octet-stream",
                            .metadata = &probe->metadata,
                            .fd = -1};
}

#define OUTCOME_BIT(outcome) (1u << (unsigned)(outcome))

/* Asks, and tells of an outcome that is not among `wanted` (OUTCOME_BIT()s). */
static bool expect(struct probe *probe, const struct s3_call *call, unsigned wanted,
                   const char *subject, struct s3_result *ret_result)
{
    bool ok;

    if (!ask(probe, call, ret_result))
        return false;
    ok = OUTCOME_BIT(ret_result->outcome) & wanted;
    if (!ok)
        probe_wrong_because(probe, subject, &ret_result->error);
    s3_result_done(ret_result); /* which has no listing: what is left stays readable */
    return ok;
}

/* HEAD of a key that does not exist: 404 is what it takes to tell that a key is free. */
static bool probe_head(struct probe *probe)
{
    struct s3_call call = call_of(probe, S3_HEAD_OBJECT);
    const unsigned wanted = OUTCOME_BIT(S3_NO_SUCH_KEY);
    struct s3_result result;

    if (!expect(probe, &call, wanted | OUTCOME_BIT(S3_ASK_REASON), "reading", &result))
        return false;
    call = call_of(probe, S3_GET_RANGE);
    return result.outcome != S3_ASK_REASON || expect(probe, &call, wanted, "reading", &result);
}

/* What the server is told of a body of zeros. */
struct zeros {
    char sha256[DIGEST_SHA256_HEX], md5[DIGEST_MD5_BASE64];
};

static bool digest_zeros(enum digest_kind kind, uint64_t length, uint8_t *ret_digest)
{
    static const uint8_t piece[32768];
    struct digest_stream *stream = digest_stream_open(kind);
    bool ok = stream && digest_stream_begin(stream);

    for (uint64_t left = length; ok && left;) {
        size_t size = left < sizeof piece ? (size_t)left : sizeof piece;

        ok = digest_stream_update(stream, piece, size);
        left -= size;
    }
    ok = ok && digest_stream_end(stream, ret_digest);
    digest_stream_close(stream);
    return ok;
}

/* Gives the call a body of zeros, which take no room. Its fd is the caller's to close. */
static bool add_zeros(struct probe *probe, struct s3_call *call, uint64_t length,
                      struct zeros *zeros)
{
    uint8_t digest[DIGEST_SHA256_BYTES];

    call->fd = memfd_create("probe", MFD_CLOEXEC);
    call->length = length;
    if (call->fd < 0 || ftruncate(call->fd, (off_t)length) != 0 ||
        !digest_zeros(DIGEST_SHA256, length, digest)) {
        probe_wrong(probe, "writing", "no memory for a part", "try again");
        return false;
    }
    digest_hex(digest, sizeof digest, zeros->sha256);
    call->payload_sha256 = zeros->sha256;
    if (probe->settings->s3_content_md5 && digest_zeros(DIGEST_MD5, length, digest)) {
        digest_md5_base64(digest, zeros->md5);
        call->content_md5 = zeros->md5;
    }
    return true;
}

/* Creates a multipart upload and sends one part of it. */
static bool send_part(struct probe *probe, uint64_t length, char ret_etag[S3_ETAG_SIZE])
{
    struct s3_call create = call_of(probe, S3_CREATE_UPLOAD), part;
    struct s3_result result;
    struct zeros zeros;
    bool ok;

    probe->upload_id[0] = 0;
    if (!expect(probe, &create, OUTCOME_BIT(S3_DONE), "writing", &result))
        return false;
    memcpy(probe->upload_id, result.upload_id, sizeof probe->upload_id);
    part = call_of(probe, S3_UPLOAD_PART);
    part.part_number = 1;
    probe->patience_ms = PART_PATIENCE_MS;
    ok = add_zeros(probe, &part, length, &zeros) &&
         expect(probe, &part, OUTCOME_BIT(S3_DONE), "writing", &result);
    probe->patience_ms = PROBE_PATIENCE_MS;
    close(part.fd);
    if (ok)
        memcpy(ret_etag, result.etag, S3_ETAG_SIZE);
    return ok;
}

/* Some servers abort nothing, and some keys may not: recordings arrive nevertheless. */
static bool abort_upload(struct probe *probe)
{
    const unsigned aborted = OUTCOME_BIT(S3_DONE) | OUTCOME_BIT(S3_NO_SUCH_UPLOAD);
    struct s3_call abort = call_of(probe, S3_ABORT_UPLOAD);
    struct s3_result result;

    if (!probe->upload_id[0])
        return true;
    if (!expect(probe, &abort, aborted | OUTCOME_BIT(S3_REFUSED), "aborting", &result))
        return false;
    if (result.outcome == S3_REFUSED && !probe->stays_told)
        probe_note(
            probe, "aborting", result.error.text,
            "uploads that are given up, as this one, stay in the bucket and may be paid for: "
            "give the key that right (s3:AbortMultipartUpload) or, where the server lacks it, "
            "have the server remove incomplete uploads, by a lifecycle rule for instance");
    probe->stays_told = probe->stays_told || result.outcome == S3_REFUSED;
    return true;
}

/* Some servers don't list parts, and some keys may not: that is no failure. */
static bool probe_listing(struct probe *probe)
{
    const unsigned missing = OUTCOME_BIT(S3_REFUSED) | OUTCOME_BIT(S3_NO_SUCH_UPLOAD);
    struct s3_call list = call_of(probe, S3_LIST_PARTS);
    char text[sizeof((struct error *)0)->text + 80];
    struct s3_result result;

    if (!expect(probe, &list, OUTCOME_BIT(S3_DONE) | missing, "listing", &result))
        return false;
    if (result.outcome != S3_DONE) {
        snprintf(text, sizeof text, "%s: interrupted uploads continue from the journal",
                 result.error.text);
        probe_fine(probe, "listing", text);
    }
    return true;
}

/* A multipart upload: created, given a part, listed, aborted. */
static bool probe_multipart(struct probe *probe, uint64_t length)
{
    char text[128], size[32], etag[S3_ETAG_SIZE];
    bool ok = send_part(probe, length, etag) && probe_listing(probe);

    ok = abort_upload(probe) && ok;
    snprintf(text, sizeof text, "a multipart upload was created, took a part of %s, and %s",
             units_format_size(length, size, sizeof size),
             probe->stays_told ? "stays unfinished" : "was aborted");
    if (ok)
        probe_fine(probe, "writing", text);
    return ok;
}

/* Once the object is there: neither PutObject nor Complete may replace it. */
static void probe_conditions(struct probe *probe, const struct s3_call *put)
{
    const unsigned answers = OUTCOME_BIT(S3_DONE) | OUTCOME_BIT(S3_KEY_TAKEN);
    bool put_replaces, completes = false, answered = false;
    char text[160], etag[S3_ETAG_SIZE];
    struct s3_call complete;
    struct s3_result result;
    struct buffer body;

    if (!expect(probe, put, answers, "conditions", &result))
        return;
    put_replaces = result.outcome == S3_DONE;
    buffer_init(&body, 4096);
    if (send_part(probe, PROBE_BYTES, etag)) {
        s3_xml_begin_complete(&body);
        s3_xml_add_part(&body, 1, etag);
        s3_xml_end_complete(&body);
        complete = call_of(probe, S3_COMPLETE_UPLOAD);
        complete.body = &body;
        answered = expect(probe, &complete, answers, "conditions", &result);
        completes = answered && result.outcome == S3_DONE;
    }
    buffer_done(&body);
    if ((!completes && !abort_upload(probe)) || !answered)
        return;
    snprintf(text, sizeof text,
             "CONFOMEET_S3_CONDITIONAL_WRITES does not help here: this server replaces objects by "
             "%s%s%s",
             put_replaces ? "PutObject" : "", put_replaces && completes ? " and " : "",
             completes ? "CompleteMultipartUpload" : "");
    probe_fine(probe, "conditions",
               put_replaces || completes ? text : "an object that is there is not replaced");
}

/* Whether HEAD shows the object as it was sent: only then can an upload be confirmed. */
static bool is_as_sent(struct probe *probe, const struct s3_result *head, bool is_ours)
{
    char text[160];

    if (head->size_bytes != PROBE_BYTES) {
        snprintf(text, sizeof text, "an object of %u bytes was sent, and HeadObject says %llu",
                 PROBE_BYTES, (unsigned long long)head->size_bytes);
        probe_wrong(probe, "metadata", text,
                    "switch off what changes objects on their way to the bucket, as a gateway's "
                    "encryption or compression: no upload can be confirmed");
        return false;
    }
    if (is_ours ? strcmp(head->mark, probe->metadata.mark) != 0 : !head->mark[0]) {
        probe_wrong(
            probe, "metadata", "the server does not give back the metadata x-amz-meta-jibri-mark",
            "let the server, or the gateway before it, keep the headers x-amz-meta-*: without "
            "them no upload can be confirmed");
        return false;
    }
    return true;
}

/* One small object with our metadata, under a key of its own: sent, looked at, deleted. Where the
 * key of the settings may not delete, that one object stays, and is overwritten the next time. */
static void probe_object(struct probe *probe)
{
    const unsigned written = OUTCOME_BIT(S3_DONE) | OUTCOME_BIT(S3_KEY_TAKEN);
    struct s3_call put, head, remove;
    char text[S3_MAX_KEY_BYTES + 128];
    struct error error = ERROR_INIT;
    struct s3_result result;
    struct zeros zeros;
    bool ok, is_ours;

    if (!choose_key(probe, PROBE_NAME, &error)) {
        probe_wrong_because(probe, "metadata", &error);
        return;
    }
    put = call_of(probe, S3_PUT_OBJECT);
    ok = add_zeros(probe, &put, PROBE_BYTES, &zeros) &&
         expect(probe, &put, written, "metadata", &result);
    if (!ok) {
        close(put.fd);
        return;
    }
    is_ours = result.outcome == S3_DONE; /* else one of an earlier check is there */
    head = call_of(probe, S3_HEAD_OBJECT);
    ok = expect(probe, &head, OUTCOME_BIT(S3_DONE), "metadata", &result) &&
         is_as_sent(probe, &result, is_ours);
    if (ok && probe->settings->s3_conditional_writes)
        probe_conditions(probe, &put);
    close(put.fd);
    remove = call_of(probe, S3_DELETE_OBJECT);
    if (!ask(probe, &remove, &result))
        return;
    if (result.outcome == S3_DONE || result.outcome == S3_NO_SUCH_KEY)
        snprintf(text, sizeof text, "an object came back as it was sent, and was deleted");
    else
        snprintf(text, sizeof text,
                 "an object came back as it was sent; %s stays, since this key has no right to "
                 "delete (s3:DeleteObject), and needs none",
                 probe->key);
    if (ok)
        probe_fine(probe, "metadata", text);
    s3_result_done(&result);
}

static bool open_bucket(struct probe *probe)
{
    struct error error = ERROR_INIT;
    char name[64];
    struct rng rng;

    rng_seed_from_system(&rng);
    snprintf(name, sizeof name, PROBE_NAME "-%016llx", (unsigned long long)rng_next(&rng));
    snprintf(probe->mark, sizeof probe->mark, "%016llx%016llx", (unsigned long long)rng_next(&rng),
             (unsigned long long)rng_next(&rng));
    probe->metadata = (struct s3_object_metadata){
        .mark = probe->mark, .session_id = PROBE_NAME, .instance_id = probe->settings->instance_id};
    if (choose_key(probe, name, &error) && s3_open(probe->settings, &probe->s3, &error))
        return true;
    probe_wrong_because(probe, "bucket", &error);
    return false;
}

void probe_bucket(struct probe *probe, enum probe_extent extent)
{
    char text[512];

    if (!open_bucket(probe) || !probe_head(probe))
        return;
    snprintf(text, sizeof text, "the bucket %.255s at %.200s can be read",
             probe->settings->s3_bucket, probe->settings->s3_url);
    probe_fine(probe, "reading", text);
    if (extent != PROBE_ANSWERS &&
        probe_multipart(probe,
                        extent == PROBE_ALL ? probe->settings->s3_part_size_bytes : PROBE_BYTES))
        probe_object(probe);
}
