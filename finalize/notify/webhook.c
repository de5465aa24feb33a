#include "finalize/notify/webhook.h"

#include "finalize/base/clock.h"
#include "finalize/hash/digest.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/journal/safety.h"
#include "finalize/journal/schedule.h"
#include "finalize/notify/webhook_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPLY_CEILING   4096u
#define LEASE_S         120 /* longer than a request may take */
#define ONE_REQUEST_MS  30000u
#define SIGNATURE_BYTES (7 + 2 * DIGEST_SHA256_BYTES + 1) /* "sha256=" and hex */

/* ---- which events there are ------------------------------------------------------------------ */

/* A random UUID. */
static void make_id(struct rng *rng, char ret_id[JOURNAL_OUTBOX_ID_SIZE])
{
    uint64_t high = (rng_next(rng) & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    uint64_t low = (rng_next(rng) & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;

    snprintf(ret_id, JOURNAL_OUTBOX_ID_SIZE, "%08x-%04x-%04x-%04x-%012" PRIx64,
             (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
             (unsigned)(low >> 48), low & UINT64_C(0xffffffffffff));
}

static bool add_event(const struct settings *settings, struct journal *journal,
                      const struct journal_recording *row, const char *metadata, const char *name,
                      struct rng *rng, int64_t now, struct stats *stats, struct error *err)
{
    char id[JOURNAL_OUTBOX_ID_SIZE];
    struct webhook_event event = {
        .name = name, .id = id, .at = now, .row = row, .metadata = metadata};
    struct buffer body;
    unsigned dropped = 0;
    bool ok;

    make_id(rng, id);
    buffer_init(&body, JOURNAL_OUTBOX_BODY_BYTES);
    ok = webhook_event_write(settings, journal, &event, &body, err);
    if (ok && body.failed)
        ok = error_set(err, ERROR_TRANSIENT, "no memory for an event");
    ok = ok && journal_add_webhook(journal, row->id, id, buffer_text(&body), now, &dropped, err);
    buffer_done(&body);
    stats_add(stats, STATS_WEBHOOKS, STATS_WEBHOOK_DROPPED, 0, dropped);
    return ok;
}

bool webhook_announce(const struct settings *settings, struct journal *journal,
                      const struct journal_recording *row, const char *metadata, struct rng *rng,
                      int64_t now, struct stats *stats, struct error *err)
{
    enum journal_announced before, after;
    struct safety safety;
    unsigned files;

    if (!settings->webhook_url || !*settings->webhook_url ||
        (row->state != JOURNAL_RECORDING_DONE && row->state != JOURNAL_RECORDING_FAILED))
        return true;
    if (!safety_load(journal, row->id, &safety, err) ||
        !journal_load_announced(journal, row->id, &before, &files, err))
        return false;
    after = row->state == JOURNAL_RECORDING_DONE && safety_is_safe(&safety)
                ? JOURNAL_ANNOUNCED_UPLOADED
                : JOURNAL_ANNOUNCED_FAILED;
    /* Once; but a file that came later is a change. */
    if (before == after && (after == JOURNAL_ANNOUNCED_FAILED || files == safety.safe))
        return true;
    if (after == JOURNAL_ANNOUNCED_FAILED)
        return add_event(settings, journal, row, metadata, "recording.failed", rng, now, stats,
                         err) &&
               journal_save_announced(journal, row->id, after, safety.safe, err);
    if (before == JOURNAL_ANNOUNCED_FAILED &&
        !add_event(settings, journal, row, metadata, "recording.recovered", rng, now, stats, err))
        return false;
    return add_event(settings, journal, row, metadata, "recording.uploaded", rng, now, stats,
                     err) &&
           journal_save_announced(journal, row->id, after, safety.safe, err);
}

/* ---- one request ----------------------------------------------------------------------------- */

/* Of "<timestamp>.<body>". */
static bool sign(const char *secret, const char *timestamp, const struct buffer *body,
                 char ret_signature[SIGNATURE_BYTES])
{
    uint8_t digest[DIGEST_SHA256_BYTES];
    struct buffer text;
    bool ok;

    buffer_init(&text, JOURNAL_OUTBOX_BODY_BYTES + 64);
    buffer_append_format(&text, "%s.", timestamp);
    buffer_append(&text, body->data, body->length);
    ok = !text.failed && digest_hmac_sha256(secret, strlen(secret), text.data, text.length, digest);
    buffer_done(&text);
    if (!ok)
        return false;
    snprintf(ret_signature, SIGNATURE_BYTES, "sha256=");
    digest_hex(digest, sizeof digest, ret_signature + strlen(ret_signature));
    return true;
}

bool webhook_build(const struct settings *settings, const struct journal_webhook *webhook,
                   int64_t now, struct http_request *ret_request, struct error *err)
{
    const char *secret = settings->webhook_secret;
    char timestamp[32], signature[SIGNATURE_BYTES];
    bool ok;

    http_request_init(ret_request, "POST");
    ret_request->idle_timeout_ms = ONE_REQUEST_MS;
    ret_request->timeout_ms = ONE_REQUEST_MS;
    ret_request->reply_ceiling = REPLY_CEILING;
    ret_request->url = strdup(settings->webhook_url);
    ret_request->body.kind = HTTP_BODY_MEMORY;
    buffer_init(&ret_request->body.memory, JOURNAL_OUTBOX_BODY_BYTES);
    buffer_append(&ret_request->body.memory, webhook->body.data, webhook->body.length);
    ret_request->body.length = ret_request->body.memory.length;
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)now);
    ok = ret_request->url && !ret_request->body.memory.failed &&
         http_request_add_header(ret_request, "Content-Type", "application/json") &&
         http_request_add_header(ret_request, "User-Agent", "jibri-finalize/" PROJECT_VERSION) &&
         http_request_add_header(ret_request, "Idempotency-Key", webhook->event_id) &&
         http_request_add_header(ret_request, "X-Jibri-Timestamp", timestamp);
    if (ok && secret && *secret)
        ok = sign(secret, timestamp, &webhook->body, signature) &&
             http_request_add_header(ret_request, "X-Jibri-Signature", signature);
    if (ok)
        return true;
    http_request_done(ret_request);
    return error_set(err, ERROR_TRANSIENT, "no memory to deliver an event");
}

void webhook_judge(const struct http_reply *reply, struct webhook_verdict *ret_verdict)
{
    bool answered = reply->failure == HTTP_OK || reply->failure == HTTP_FAILED_TOO_LARGE;

    *ret_verdict = (struct webhook_verdict){0};
    if (answered && reply->status >= 200 && reply->status < 300) {
        ret_verdict->delivered = true;
        return;
    }
    ret_verdict->down =
        !answered || reply->status >= 500 || reply->status == 408 || reply->status == 429;
    if (answered)
        snprintf(ret_verdict->error, sizeof ret_verdict->error, "the webhook answered %d",
                 reply->status);
    else
        snprintf(ret_verdict->error, sizeof ret_verdict->error, "the webhook was not reached");
}

/* ---- delivery -------------------------------------------------------------------------------- */

static bool deliver(const struct webhook_delivery *delivery, const struct journal_webhook *webhook,
                    uint64_t patience_ms, bool *ret_down, struct error *err)
{
    struct http_request request;
    struct http_reply reply;
    struct webhook_verdict verdict;
    int64_t now = time(NULL);

    *ret_down = false;
    if (!webhook_build(delivery->settings, webhook, now, &request, err))
        return false;
    loop_exchange(delivery->loop, &request, clock_now_ms() + patience_ms, &reply);
    webhook_judge(&reply, &verdict);
    http_reply_done(&reply);
    stats_add(delivery->stats, STATS_WEBHOOKS,
              verdict.delivered ? STATS_WEBHOOK_DELIVERED : STATS_WEBHOOK_FAILED, 0, 1);
    *ret_down = verdict.down;
    if (verdict.delivered)
        return journal_finish_webhook(delivery->journal, webhook->id, err);
    return journal_postpone_webhook(delivery->journal, webhook->id,
                                    schedule_next_try(delivery->settings, SCHEDULE_EVENT,
                                                      webhook->tries + 1, now, delivery->rng),
                                    verdict.error, verdict.down, err);
}

bool webhook_deliver_due(const struct webhook_delivery *delivery, struct error *err)
{
    uint64_t end_ms = clock_now_ms() + delivery->patience_ms;
    bool down = false;
    bool ok = true;

    while (ok && !down && !delivery->stop_requested(delivery->context)) {
        uint64_t now_ms = clock_now_ms();
        int64_t now = time(NULL);
        struct journal_webhook webhook;
        bool found;

        if (now_ms >= end_ms)
            break;
        if (!journal_take_webhook(delivery->journal, delivery->recording_id, now, now + LEASE_S,
                                  &webhook, &found, err))
            return false;
        if (!found)
            break;
        ok = deliver(delivery, &webhook,
                     end_ms - now_ms < ONE_REQUEST_MS ? end_ms - now_ms : ONE_REQUEST_MS, &down,
                     err);
        buffer_done(&webhook.body);
    }
    return ok;
}

bool webhook_run(const struct webhook_delivery *options, const char *recordings_dir, int stop_fd,
                 struct error *err)
{
    const struct settings *settings = options->settings;
    const struct loop_stop stop = {
        .fd = stop_fd, .requested = options->stop_requested, .context = options->context};
    struct webhook_delivery delivery = *options;
    struct stats stats = {0};
    struct rng rng;
    bool ok;

    if (!settings->webhook_url || !*settings->webhook_url)
        return true;
    rng_seed_from_system(&rng);
    delivery.rng = &rng;
    delivery.stats = &stats;
    ok = journal_place_open(settings, recordings_dir, &delivery.journal, err) &&
         loop_open(settings, 0, &stop, &delivery.loop, err) && webhook_deliver_due(&delivery, err);
    if (delivery.journal)
        journal_add_stats(delivery.journal, &stats);
    loop_close(delivery.loop);
    journal_close(delivery.journal);
    return ok;
}
