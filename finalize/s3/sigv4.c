#include "finalize/s3/sigv4.h"

#include "finalize/hash/digest.h"
#include "finalize/s3/uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_CEILING (256u * 1024)

/* A name and a value in the form in which they are signed. */
struct entry {
    char *name;
    char *value;
    size_t index; /* its place before sorting */
};

struct entries {
    struct entry *items;
    size_t count;
};

typedef void rewrite(struct buffer *out, const char *text);

static void entries_done(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].name);
        if (entries->items[i].value) /* may be a session token */
            explicit_bzero(entries->items[i].value, strlen(entries->items[i].value));
        free(entries->items[i].value);
    }
    free(entries->items);
    *entries = (struct entries){0};
}

static char *rewritten(rewrite *how, const char *text)
{
    struct buffer out;

    buffer_init(&out, TEXT_CEILING);
    how(&out, text ? text : "");
    return buffer_take(&out);
}

static bool entries_make(const struct sigv4_pair *pairs, size_t count, rewrite *rewrite_name,
                         rewrite *rewrite_value, struct entries *ret_entries)
{
    struct entries made = {.items = calloc(count + 1, sizeof *made.items)};

    if (!made.items)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &made.items[made.count++];

        entry->name = rewritten(rewrite_name, pairs[i].name);
        entry->value = rewritten(rewrite_value, pairs[i].value);
        entry->index = i;
        if (!entry->name || !entry->value) {
            entries_done(&made);
            return false;
        }
    }
    *ret_entries = made;
    return true;
}

static void encode(struct buffer *out, const char *text)
{
    uri_encode(out, text, false);
}

static int compare_query(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order ? order : strcmp(a->value, b->value);
}

bool sigv4_query(struct buffer *out, const struct sigv4_pair *query, size_t count)
{
    struct entries entries;

    if (!entries_make(query, count, encode, encode, &entries))
        return false;
    qsort(entries.items, entries.count, sizeof *entries.items, compare_query);
    for (size_t i = 0; i < entries.count; i++)
        buffer_append_format(out, "%s%s=%s", i ? "&" : "", entries.items[i].name,
                             entries.items[i].value);
    entries_done(&entries);
    return !out->failed;
}

static void lower(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        char c = (char)tolower((unsigned char)*text);

        buffer_append(out, &c, 1);
    }
}

/* Trims, and folds each run of blanks into one space. */
static void fold_blanks(struct buffer *out, const char *text)
{
    text += strspn(text, " \t");
    while (*text) {
        size_t length = strcspn(text, " \t");

        buffer_append(out, text, length);
        text += length;
        text += strspn(text, " \t");
        if (*text)
            buffer_append(out, " ", 1);
    }
}

static int compare_headers(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order ? order : a->index < b->index ? -1 : 1;
}

static bool headers_make(const struct sigv4_request *request, struct entries *ret_entries)
{
    if (!entries_make(request->headers, request->header_count, lower, fold_blanks, ret_entries))
        return false;
    qsort(ret_entries->items, ret_entries->count, sizeof *ret_entries->items, compare_headers);
    return true;
}

static bool repeats(const struct entries *headers, size_t index)
{
    return index && !strcmp(headers->items[index].name, headers->items[index - 1].name);
}

bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request)
{
    struct entries headers;

    if (!headers_make(request, &headers))
        return false;
    buffer_append_format(out, "%s\n%s\n", request->method, *request->path ? request->path : "/");
    if (!sigv4_query(out, request->query, request->query_count))
        out->failed = true;
    for (size_t i = 0; i < headers.count; i++) {
        if (repeats(&headers, i))
            buffer_append_format(out, ",%s", headers.items[i].value);
        else
            buffer_append_format(out, "\n%s:%s", headers.items[i].name, headers.items[i].value);
    }
    buffer_append_text(out, "\n\n");
    for (size_t i = 0; i < headers.count; i++)
        if (!repeats(&headers, i))
            buffer_append_format(out, "%s%s", i ? ";" : "", headers.items[i].name);
    buffer_append_format(out, "\n%s", request->payload_sha256);
    entries_done(&headers);
    return !out->failed;
}

void sigv4_date(time_t now, char ret_date[SIGV4_DATE_SIZE])
{
    struct tm utc;

    if (!gmtime_r(&now, &utc) ||
        strftime(ret_date, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) != SIGV4_DATE_SIZE - 1)
        memcpy(ret_date, "19700101T000000Z", SIGV4_DATE_SIZE);
}

static bool hash_hex(const struct buffer *text, char ret_hex[DIGEST_SHA256_HEX])
{
    uint8_t digest[DIGEST_SHA256_BYTES];

    if (!digest_sha256(text->data, text->length, digest))
        return false;
    digest_hex(digest, sizeof digest, ret_hex);
    return true;
}

/* The chain of keys: each step's result is the key of the next one, the last one signs. */
static bool sign(const struct sigv4_scope *scope, const char *day, const char *text,
                 char ret_signature[DIGEST_SHA256_HEX])
{
    const char *steps[] = {day, scope->region, scope->service, "aws4_request", text};
    uint8_t key[DIGEST_SHA256_BYTES], next[DIGEST_SHA256_BYTES];
    struct buffer secret;
    bool ok = false;

    buffer_init(&secret, TEXT_CEILING);
    /* Never grown after its first append, so that no copy is left in freed memory. */
    buffer_append_format(&secret, "AWS4%s", scope->secret_key);
    if (secret.failed ||
        !digest_hmac_sha256(secret.data, secret.length, steps[0], strlen(steps[0]), key))
        goto out;
    for (size_t i = 1; i < sizeof steps / sizeof *steps; i++) {
        if (!digest_hmac_sha256(key, sizeof key, steps[i], strlen(steps[i]), next))
            goto out;
        memcpy(key, next, sizeof key);
    }
    digest_hex(key, sizeof key, ret_signature);
    ok = true;
out:
    explicit_bzero(key, sizeof key);
    explicit_bzero(next, sizeof next);
    buffer_wipe(&secret);
    return ok;
}

bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                         const struct sigv4_scope *scope)
{
    char date[SIGV4_DATE_SIZE], day[9], hash[DIGEST_SHA256_HEX], signature[DIGEST_SHA256_HEX];
    const char *names, *names_end; /* of the headers that are signed: the last line but one */
    struct buffer canonical, text;
    bool ok = false;

    buffer_init(&canonical, TEXT_CEILING);
    buffer_init(&text, TEXT_CEILING);
    sigv4_date(scope->now, date);
    memcpy(day, date, 8);
    day[8] = 0;
    if (!sigv4_canonical_request(&canonical, request) || !hash_hex(&canonical, hash))
        goto out;
    names_end = strrchr(canonical.data, '\n');
    names = (const char *)memrchr(canonical.data, '\n', (size_t)(names_end - canonical.data)) + 1;
    buffer_append_format(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", date, day,
                         scope->region, scope->service, hash);
    if (text.failed || !sign(scope, day, text.data, signature))
        goto out;
    buffer_append_format(
        out,
        "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%.*s, "
        "Signature=%s",
        scope->access_key, day, scope->region, scope->service, (int)(names_end - names), names,
        signature);
    ok = !out->failed;
out:
    buffer_wipe(&canonical);
    buffer_done(&text);
    return ok;
}
