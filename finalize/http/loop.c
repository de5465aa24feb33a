#include "finalize/http/loop.h"

#include "finalize/base/clock.h"
#include "finalize/http/rate.h"
#include "finalize/http/transfer.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_HANDLES   8u
#define WATCH_EVERY_MS 200u

struct loop {
    CURLM *multi;
    struct loop_stop stop;
    struct transfer_share share;
    struct transfer *transfers;
    struct transfer *forgotten; /* whose look-ups have not ended; nothing waits for them */
    uint64_t watch_at_ms;
    unsigned pending;
    atomic_bool woken;
    CURL *idle[IDLE_HANDLES];
    unsigned idle_count;
};

/* ---- one transfer ------------------------------------------------------------------------- */

static void free_transfer(struct loop *loop, struct transfer *transfer)
{
    if (transfer->easy && !transfer->forgotten && transfer_is_resolving(transfer)) {
        transfer_forget(transfer);
        transfer->next = loop->forgotten;
        loop->forgotten = transfer;
        return;
    }
    if (transfer->easy) {
        curl_multi_remove_handle(loop->multi, transfer->easy);
        curl_easy_reset(transfer->easy);
        if (loop->idle_count < IDLE_HANDLES)
            loop->idle[loop->idle_count++] = transfer->easy;
        else
            curl_easy_cleanup(transfer->easy);
    }
    transfer_done(transfer);
    free(transfer);
}

static bool begin_transfer(struct loop *loop, struct transfer *transfer)
{
    transfer->easy = loop->idle_count ? loop->idle[--loop->idle_count] : curl_easy_init();
    return transfer->easy && transfer_set_up(transfer, loop->pending) &&
           curl_multi_add_handle(loop->multi, transfer->easy) == CURLM_OK;
}

bool loop_start(struct loop *loop, struct http_request *request, void *owner, unsigned slot,
                struct error *err)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    if (!transfer)
        return error_set(err, ERROR_TRANSIENT, "no memory for a request");
    transfer->share = &loop->share;
    transfer->owner = owner;
    transfer->slot = slot;
    transfer->request = *request;
    http_reply_init(&transfer->reply, request->reply_ceiling);
    if (!begin_transfer(loop, transfer)) {
        http_request_init(&transfer->request, request->method); /* still the caller's */
        free_transfer(loop, transfer);
        return error_set(err, ERROR_TRANSIENT, "no memory for a request");
    }
    http_request_init(request, request->method);
    transfer->next = loop->transfers;
    loop->transfers = transfer;
    loop->pending++;
    return true;
}

static void free_forgotten(struct loop *loop, struct transfer *transfer)
{
    struct transfer **link = &loop->forgotten;

    while (*link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    free_transfer(loop, transfer);
}

static bool note_ends(struct loop *loop)
{
    CURLMsg *message;
    int left;
    bool any = false;

    while ((message = curl_multi_info_read(loop->multi, &left))) {
        struct transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        any |= !transfer->ended && !transfer->forgotten;
        transfer_end(transfer, message->data.result);
        if (transfer->forgotten)
            free_forgotten(loop, transfer);
    }
    return any;
}

/* Before libcurl works: a lookup that timed out is detached before libcurl waits for it.
 * True when a request has ended. */
static bool watch(struct loop *loop, uint64_t now_ms)
{
    bool any = false;

    if (now_ms < loop->watch_at_ms)
        return false;
    loop->watch_at_ms = now_ms + WATCH_EVERY_MS;
    for (struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next)
        any |= transfer_watch(transfer, now_ms);
    return any;
}

/* New ones are the first of the list. */
static void note_begun(struct loop *loop, uint64_t now_ms)
{
    for (struct transfer *transfer = loop->transfers; transfer && !transfer->began_ms;
         transfer = transfer->next)
        transfer->began_ms = transfer->moved_at_ms = now_ms;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* libcurl's directory of authorities, when there are any in it under their hashed names. */
static const char *find_ca_directory(void)
{
    const char *directory = curl_version_info(CURLVERSION_NOW)->capath;
    DIR *entries = directory ? opendir(directory) : NULL;
    const struct dirent *entry;
    bool found = false;

    while (entries && !found && (entry = readdir(entries)))
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && !strcmp(entry->d_name + 8, ".0");
    if (entries)
        closedir(entries);
    return found ? directory : NULL;
}

bool loop_open(const struct settings *settings, uint64_t rate_limit, const struct loop_stop *stop,
               struct loop **ret_loop, struct error *err)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return error_set(err, ERROR_TRANSIENT, "no memory for the network loop");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(loop);
        return error_set(err, ERROR_TRANSIENT, "libcurl cannot be initialised");
    }
    loop->multi = curl_multi_init();
    if (!loop->multi) {
        loop_close(loop);
        return error_set(err, ERROR_TRANSIENT, "no memory for the network loop");
    }
    loop->stop = stop ? *stop : (struct loop_stop){.fd = -1};
    loop->share = (struct transfer_share){
        .ca_file = settings->ca_file,
        .ca_directory = settings->ca_file ? NULL : find_ca_directory(),
        .proxy = settings->proxy,
        .connect_timeout_ms = settings->s3_connect_timeout_ms,
    };
    rate_init(&loop->share.rate, rate_limit, clock_now_us());
    *ret_loop = loop;
    return true;
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->transfers) {
        struct transfer *next = loop->transfers->next;

        free_transfer(loop, loop->transfers);
        loop->transfers = next;
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    while (loop->forgotten)
        free_forgotten(loop, loop->forgotten);
#endif
    while (loop->idle_count)
        curl_easy_cleanup(loop->idle[--loop->idle_count]);
    if (!loop->forgotten) { /* else the end of the process frees them */
        curl_multi_cleanup(loop->multi);
        curl_global_cleanup();
    }
    free(loop);
}

/* Lets those go on that wait for the rate limit; returns the ms until that is worth another try. */
static uint64_t resume_paused(struct loop *loop, uint64_t timeout_ms)
{
    uint64_t wait_us = rate_wait_us(&loop->share.rate, clock_now_us());
    bool waiting = false;

    for (struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next) {
        if (!transfer->paused || transfer->ended)
            continue;
        if (wait_us) {
            waiting = true;
            continue;
        }
        transfer->paused = false;
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        wait_us = rate_wait_us(&loop->share.rate, clock_now_us());
    }
    if (waiting && wait_us / 1000 + 1 < timeout_ms)
        return wait_us / 1000 + 1;
    return timeout_ms;
}

bool loop_wait(struct loop *loop, uint64_t timeout_ms, struct error *err)
{
    struct curl_waitfd extra = {.fd = loop->stop.fd, .events = CURL_WAIT_POLLIN};
    uint64_t deadline_ms = clock_now_ms() + timeout_ms;

    for (;;) {
        uint64_t now_ms, left_ms;
        bool watched;
        int running;

        watched = watch(loop, clock_now_ms());
        if (curl_multi_perform(loop->multi, &running) != CURLM_OK)
            return error_set(err, ERROR_TRANSIENT, "libcurl's loop failed");
        now_ms = clock_now_ms();
        note_begun(loop, now_ms);
        if (note_ends(loop) || watched || atomic_exchange(&loop->woken, false) ||
            now_ms >= deadline_ms)
            return true;
        left_ms = resume_paused(loop, deadline_ms - now_ms);
        if (loop->transfers && left_ms > WATCH_EVERY_MS)
            left_ms = WATCH_EVERY_MS;
        extra.revents = 0;
        if (curl_multi_poll(loop->multi, &extra, extra.fd >= 0 ? 1 : 0,
                            left_ms > 60000 ? 60000 : (int)left_ms, NULL) != CURLM_OK)
            return error_set(err, ERROR_TRANSIENT, "libcurl's loop failed");
        if (extra.revents)
            return true;
    }
}

static struct transfer *unlink_transfer(struct loop *loop, struct transfer **link)
{
    struct transfer *transfer = *link;

    *link = transfer->next;
    loop->pending--;
    return transfer;
}

bool loop_collect(struct loop *loop, struct loop_reply *ret_reply)
{
    for (struct transfer **link = &loop->transfers; *link; link = &(*link)->next) {
        struct transfer *transfer;

        if (!(*link)->ended)
            continue;
        transfer = unlink_transfer(loop, link);
        *ret_reply = (struct loop_reply){
            .owner = transfer->owner, .slot = transfer->slot, .http = transfer->reply};
        http_reply_init(&transfer->reply, 0); /* it is the caller's now */
        free_transfer(loop, transfer);
        return true;
    }
    return false;
}

void loop_cancel(struct loop *loop, const void *owner)
{
    struct transfer **link = &loop->transfers;

    while (*link) {
        if ((*link)->owner == owner)
            free_transfer(loop, unlink_transfer(loop, link));
        else
            link = &(*link)->next;
    }
}

void loop_wake(void *loop)
{
    struct loop *woken = loop;

    atomic_store(&woken->woken, true);
    curl_multi_wakeup(woken->multi);
}

unsigned loop_pending(const struct loop *loop)
{
    return loop->pending;
}

unsigned loop_must_finish(const struct loop *loop)
{
    unsigned count = 0;

    for (const struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next)
        count += transfer->request.must_finish && !transfer->ended && transfer_is_sent(transfer);
    return count;
}

uint64_t loop_bytes_sent(const struct loop *loop)
{
    return loop->share.bytes_sent;
}

uint64_t loop_bytes_under_way(const struct loop *loop)
{
    uint64_t bytes = 0;

    for (const struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next)
        bytes += transfer->position;
    return bytes;
}

void loop_exchange(struct loop *loop, struct http_request *request, uint64_t deadline_ms,
                   struct http_reply *ret_reply)
{
    struct error err = ERROR_INIT;
    struct loop_reply reply;
    bool going;

    http_reply_init(ret_reply, request->reply_ceiling);
    going = loop_start(loop, request, ret_reply, 0, &err);
    http_request_done(request);
    while (going) {
        uint64_t now_ms = clock_now_ms();

        if (loop_collect(loop, &reply)) {
            *ret_reply = reply.http;
            return;
        }
        if (loop->stop.requested && loop->stop.requested(loop->stop.context))
            going = error_set(&err, ERROR_STOPPED, "stopped before there was a reply");
        else if (now_ms >= deadline_ms)
            going = error_set(&err, ERROR_TRANSIENT, "no reply in time");
        else
            going = loop_wait(loop, deadline_ms - now_ms, &err);
    }
    loop_cancel(loop, ret_reply);
    ret_reply->failure = HTTP_FAILED_TIMEOUT;
    snprintf(ret_reply->detail, sizeof ret_reply->detail, "%.200s", err.text);
}
