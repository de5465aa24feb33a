/*
 * What is signed: encoded once, sorted, ASCII; and the endpoint's address, which is signed as well.
 *
 * Input, by lines: URL of an endpoint, key, then "name<tab>value" of the query up to an empty line,
 * then the same of the headers.
 */
#include "finalize/s3/sigv4.h"

#include "finalize/hash/digest.h"
#include "finalize/s3/uri.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define SECRET     "zQ7secretQz"
#define ROOM       (4u * 1024 * 1024)
#define MAX_PAIRS  16u
#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

struct pairs {
    struct sigv4_pair pair[MAX_PAIRS];
    size_t count;
};

static void pairs_read(struct fuzz_input input, struct pairs *pairs)
{
    pairs->count = 0;
    while (input.length && pairs->count < MAX_PAIRS) {
        struct fuzz_input line = fuzz_piece(&input, "\n");
        bool has_value = memchr(line.bytes, '\t', line.length);
        char *name = fuzz_text(fuzz_piece(&line, "\t"));

        pairs->pair[pairs->count++] =
            (struct sigv4_pair){name, has_value ? fuzz_text(fuzz_rest(&line)) : NULL};
    }
}

static void pairs_done(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free((char *)pairs->pair[i].name);
        free((char *)pairs->pair[i].value);
    }
}

/* Whether the escape stands for a character that is to stand there as it is. */
static bool is_plain_escape(const char *escape)
{
    char copy[4] = {escape[0], escape[1], escape[2], 0};
    struct buffer byte;
    bool plain;

    buffer_init(&byte, sizeof copy);
    fuzz_decode_percent(&byte, copy, true);
    plain = strchr(UNRESERVED, buffer_text(&byte)[0]);
    buffer_done(&byte);
    return plain;
}

/* Only unreserved characters and %XX in upper case, with `text` as what it decodes to. */
static void check_encoding(const char *encoded, const char *text, const char *also_plain)
{
    struct buffer decoded;

    for (const char *p = encoded; *p; p++) {
        if (*p == '%') {
            PROMISE(strspn(p + 1, "0123456789ABCDEF") >= 2);
            PROMISE(!is_plain_escape(p));
            p += 2;
        } else {
            PROMISE(strchr(UNRESERVED, *p) || strchr(also_plain, *p));
        }
    }
    buffer_init(&decoded, ROOM);
    fuzz_decode_percent(&decoded, encoded, true);
    PROMISE(!strcmp(buffer_text(&decoded), text));
    buffer_done(&decoded);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* The one pair, not yet found, that `name` and `value` are. */
static void find_pair(const struct pairs *pairs, bool *found, const char *name, const char *value)
{
    struct buffer plain_name, plain_value;
    size_t i;

    buffer_init(&plain_name, ROOM);
    buffer_init(&plain_value, ROOM);
    fuzz_decode_percent(&plain_name, name, true);
    fuzz_decode_percent(&plain_value, value, true);
    for (i = 0; i < pairs->count; i++)
        if (!found[i] && !strcmp(pairs->pair[i].name, buffer_text(&plain_name)) &&
            !strcmp(text_or_empty(pairs->pair[i].value), buffer_text(&plain_value)))
            break;
    PROMISE(i < pairs->count);
    found[i] = true;
    check_encoding(name, pairs->pair[i].name, "");
    check_encoding(value, text_or_empty(pairs->pair[i].value), "");
    buffer_done(&plain_name);
    buffer_done(&plain_value);
}

static void check_query(const struct pairs *pairs)
{
    struct buffer query;
    bool found[MAX_PAIRS] = {false};
    const char *previous_name = "", *previous_value = "";
    char *copy, *rest;

    buffer_init(&query, ROOM);
    PROMISE(sigv4_query(&query, pairs->pair, pairs->count));
    copy = strdup(buffer_text(&query));
    PROMISE(copy);
    rest = pairs->count ? copy : NULL;
    PROMISE(pairs->count || !*copy);
    for (size_t i = 0; i < pairs->count; i++) {
        char *name = strsep(&rest, "&"), *value = name;
        int order;

        PROMISE(name);
        name = strsep(&value, "=");
        PROMISE(value && !strchr(value, '='));
        order = strcmp(previous_name, name);
        PROMISE(order < 0 || (order == 0 && strcmp(previous_value, value) <= 0));
        find_pair(pairs, found, name, value);
        previous_name = name;
        previous_value = value;
    }
    PROMISE(!rest);
    free(copy);
    buffer_done(&query);
}

static char *encoded_path(const char *key)
{
    struct buffer path;

    buffer_init(&path, ROOM);
    buffer_append_text(&path, "/");
    uri_encode(&path, key, true);
    PROMISE(!path.failed);
    check_encoding(buffer_text(&path) + 1, key, "/");
    return buffer_take(&path);
}

static void check_signed_names(const char *canonical)
{
    const char *names = canonical + strlen(canonical) - strlen(DIGEST_SHA256_EMPTY) - 1;
    char *copy, *rest, *name, *previous = NULL;

    PROMISE(*names == '\n');
    copy = strndup(canonical, (size_t)(names - canonical));
    PROMISE(copy);
    rest = strrchr(copy, '\n');
    PROMISE(rest);
    rest++;
    while ((name = strsep(&rest, ";"))) {
        for (const char *p = name; *p; p++)
            PROMISE(*p < 'A' || *p > 'Z');
        PROMISE(!previous || strcmp(previous, name) < 0);
        previous = name;
    }
    free(copy);
}

/* Names and values as they are when a header is sent: no control characters, ';' or ':' in names.
 */
static bool are_headers_plain(const struct pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (!*headers->pair[i].name || strpbrk(headers->pair[i].name, ";:, ") ||
            !fuzz_is_one_line(headers->pair[i].name))
            return false;
    return true;
}

static void check_signature(const char *path, const struct pairs *query,
                            const struct pairs *headers, bool guessed)
{
    struct sigv4_request request = {.method = "GET",
                                    .path = path,
                                    .query = query->pair,
                                    .query_count = query->count,
                                    .headers = headers->pair,
                                    .header_count = headers->count,
                                    .payload_sha256 = DIGEST_SHA256_EMPTY};
    struct sigv4_scope scope = {.access_key = "AKIDEXAMPLE",
                                .secret_key = SECRET,
                                .region = "us-east-1",
                                .service = "s3",
                                .now = 1369353600};
    struct buffer canonical, first, second;

    buffer_init(&canonical, ROOM);
    buffer_init(&first, ROOM);
    buffer_init(&second, ROOM);
    PROMISE(sigv4_canonical_request(&canonical, &request));
    if (are_headers_plain(headers))
        check_signed_names(buffer_text(&canonical));
    PROMISE(sigv4_authorization(&first, &request, &scope));
    PROMISE(sigv4_authorization(&second, &request, &scope));
    PROMISE(!strcmp(buffer_text(&first), buffer_text(&second)));
    PROMISE(guessed || !strstr(buffer_text(&first), SECRET));
    buffer_done(&canonical);
    buffer_done(&first);
    buffer_done(&second);
}

/* An address that was accepted, spelled as we send it, is the same address again. */
static void check_endpoint(const char *url)
{
    struct uri_endpoint endpoint = {0}, again = {0};
    struct error err = ERROR_INIT;
    struct buffer spelled;

    if (!uri_parse_endpoint(url, &endpoint, &err)) {
        PROMISE(err.kind == ERROR_SETTINGS && fuzz_is_one_line(err.text));
        PROMISE(!endpoint.host && !endpoint.path);
        return;
    }
    PROMISE(fuzz_is_one_line(endpoint.host) && !strpbrk(endpoint.host, "@/?# \\"));
    PROMISE(!*endpoint.path || *endpoint.path == '/');
    PROMISE(strspn(endpoint.path, UNRESERVED "%/") == strlen(endpoint.path));
    buffer_init(&spelled, ROOM);
    buffer_append_format(&spelled, "%s://%s%s", endpoint.https ? "https" : "http", endpoint.host,
                         endpoint.path);
    if (strlen(endpoint.path) <= 4096) {
        PROMISE(uri_parse_endpoint(buffer_text(&spelled), &again, &err));
        PROMISE(endpoint.https == again.https && !strcmp(endpoint.host, again.host) &&
                !strcmp(endpoint.path, again.path));
    }
    uri_endpoint_done(&endpoint);
    uri_endpoint_done(&again);
    buffer_done(&spelled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    bool guessed = memmem(data, size, SECRET, strlen(SECRET)); /* as libFuzzer does */
    char *url = fuzz_text(fuzz_piece(&input, "\n"));
    char *key = fuzz_text(fuzz_piece(&input, "\n"));
    char *path = encoded_path(key);
    struct pairs query, headers;

    pairs_read(fuzz_piece(&input, "\n\n"), &query);
    pairs_read(input, &headers);
    check_endpoint(url);
    check_query(&query);
    check_signature(path, &query, &headers, guessed);
    pairs_done(&query);
    pairs_done(&headers);
    free(url);
    free(key);
    free(path);
    return 0;
}
