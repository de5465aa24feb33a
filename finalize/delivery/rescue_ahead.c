/*
 * rescue_ahead - the headers of fragments are read ahead, from several places of the object at
 * once. Where a fragment ends its header alone tells, so that one request after the other takes as
 * many round trips as the recording has seconds.
 *
 *   [moof mdat] [moof mdat] … | … mdat] [moof mdat] … | … [moof mdat] …
 *    1 ──────► ──────► …          2 ···► ──────► …        3 ► …
 *
 * All readers but the first look for what is like the header of a fragment. A wrong guess does no
 * harm: what goes to the file are the object's bytes in any case, at their place, and the walk from
 * the first fragment to the last asks for what is not there. It also does what failed here.
 */
#include "finalize/delivery/rescue_private.h"

#include "finalize/base/clock.h"
#include "finalize/base/read_at.h"
#include "finalize/session/mp4_box.h"

#include <string.h>
#include <time.h>

#define READERS       16u
#define LEAST_BYTES   (UINT64_C(8) << 20) /* for each */
#define HEADERS_BYTES 4096u               /* what the headers of a second take */
#define SEARCH_BYTES  (256u << 10)
#define SHORT_BYTES   (64u << 10) /* a fragment that is read whole, with those around it */
#define MOST_BYTES    (1u << 20)  /* of a moof */
#define MEDIA_HEADER  16u
#define MOST_FAILURES 3u
#define PATIENCE_MS   60000u

struct reader {
    uint64_t at, end;
    uint64_t length; /* to ask for */
    bool searching;
    unsigned failures;
};

struct ahead {
    const struct rescue *rescue;
    const char *key;
    int fd;
    uint64_t end;
    unsigned under_way;
    struct reader readers[READERS];
};

static struct s3_call call_of(const struct ahead *ahead, const struct reader *reader)
{
    uint64_t left = ahead->end - reader->at;

    return (struct s3_call){.operation = S3_GET_RANGE,
                            .key = ahead->key,
                            .fd = -1,
                            .offset = reader->at,
                            .length = reader->length < left ? reader->length : left};
}

static void ask(struct ahead *ahead, unsigned number)
{
    struct reader *reader = &ahead->readers[number];
    struct s3 *s3 = ahead->rescue->s3;
    struct http_request request;
    struct error ignored = ERROR_INIT;
    struct s3_call call;

    if (reader->at >= reader->end || reader->failures > MOST_FAILURES ||
        credentials_state(s3_credentials(s3), clock_now_ms()) != CREDENTIALS_READY)
        return;
    call = call_of(ahead, reader);
    if (s3_build(s3, &call, time(NULL), &request, &ignored) &&
        loop_start(ahead->rescue->loop, &request, ahead, number, &ignored))
        ahead->under_way++;
    http_request_done(&request);
}

/*
 * The fragment that begins there. False when none does. *ret_headers: bytes of its headers, or as
 * many as are needed to know; *ret_all: of all of it, 0 when not all of the headers are there.
 */
static bool read_fragment(const uint8_t *bytes, size_t length, uint64_t *ret_headers,
                          uint64_t *ret_all)
{
    uint64_t moof, media;

    *ret_all = 0;
    *ret_headers = 8 + MEDIA_HEADER;
    if (length < 8)
        return true;
    moof = mp4_number(bytes, 4);
    if (moof < 8 || moof > MOST_BYTES || !mp4_is((const char *)bytes + 4, "moof"))
        return false;
    *ret_headers = moof + MEDIA_HEADER;
    if (*ret_headers > length)
        return true;
    media = mp4_number(bytes + moof, 4);
    if (media == 1)
        media = mp4_number(bytes + moof + 8, 8);
    *ret_all = moof + media;
    return media >= 8 && media < UINT64_MAX / 2 && mp4_is((const char *)bytes + moof + 4, "mdat");
}

/* Where a fragment may begin; `length` when nowhere. */
static size_t search(const uint8_t *bytes, size_t length)
{
    static const uint8_t MFHD[] = {0, 0, 0, 16, 'm', 'f', 'h', 'd'};
    size_t at = 4;

    while (at + 4 + sizeof MFHD <= length) {
        const uint8_t *found = memmem(bytes + at, length - at, "moof", 4);

        if (!found)
            break;
        at = (size_t)(found - bytes);
        if (at + 4 + sizeof MFHD <= length && !memcmp(found + 4, MFHD, sizeof MFHD))
            return at - 4;
        at++;
    }
    return length;
}

/* Writes the headers of all fragments that the reply has, and goes on after them. False when there
 * is nothing more to read there. */
static bool take_bytes(struct ahead *ahead, struct reader *reader, const uint8_t *bytes,
                       size_t length)
{
    uint64_t next = 0, headers, all;

    if (reader->searching) {
        next = search(bytes, length);
        if (next == length) { /* one may begin in the last bytes */
            reader->at += length > 2 * MEDIA_HEADER ? length - MEDIA_HEADER : length;
            return true;
        }
        reader->searching = false;
    }
    while (next < length) {
        if (!read_fragment(bytes + next, length - (size_t)next, &headers, &all))
            return false;
        if (!all) { /* the reply ends in its headers, which are asked for again */
            reader->at += next;
            if (headers > reader->length)
                reader->length = headers;
            return headers <= ahead->end - reader->at;
        }
        if (!write_at(ahead->fd, bytes + next, (size_t)headers, reader->at + next))
            return false;
        next += all;
        reader->length = all > SHORT_BYTES ? HEADERS_BYTES : SEARCH_BYTES;
    }
    reader->at += next;
    return true;
}

static void take_reply(struct ahead *ahead, struct loop_reply *reply)
{
    struct reader *reader = &ahead->readers[reply->slot];
    const struct s3_call call = call_of(ahead, reader);
    struct s3_result result;

    ahead->under_way--;
    s3_read(ahead->rescue->s3, &call, &reply->http, time(NULL), &result);
    http_reply_done(&reply->http);
    if (result.outcome != S3_DONE || result.body.length != call.length)
        reader->failures++;
    else if (!take_bytes(ahead, reader, (const uint8_t *)result.body.data, result.body.length))
        reader->at = reader->end;
    s3_result_done(&result);
    ask(ahead, reply->slot);
}

void rescue_read_ahead(const struct rescue_object *object, int fd, uint64_t from, uint64_t end)
{
    const struct rescue *rescue = object->rescue;
    struct ahead ahead = {.rescue = rescue, .key = object->key, .fd = fd, .end = end};
    uint64_t most = from < end ? (end - from) / LEAST_BYTES : 0, until_ms;
    struct error ignored = ERROR_INIT;
    struct loop_reply reply;

    most = most < READERS ? most : READERS;
    most = most < rescue->settings->s3_parallel ? most : rescue->settings->s3_parallel;
    if (most < 2)
        return;
    for (unsigned i = 0; i < most; i++) {
        ahead.readers[i] =
            (struct reader){.at = from + (end - from) / most * i,
                            .end = i + 1 < most ? from + (end - from) / most * (i + 1) : end,
                            .length = i ? SEARCH_BYTES : HEADERS_BYTES,
                            .searching = i > 0};
        ask(&ahead, i);
    }
    until_ms = clock_now_ms() + PATIENCE_MS;
    while (ahead.under_way && !rescue->stop_requested(rescue->context) &&
           clock_now_ms() < until_ms && loop_wait(rescue->loop, PATIENCE_MS, &ignored))
        while (loop_collect(rescue->loop, &reply)) {
            take_reply(&ahead, &reply);
            until_ms = clock_now_ms() + PATIENCE_MS;
        }
    loop_cancel(rescue->loop, &ahead);
}
