/* credentials - the keys that there are, until when, and when others are to be asked for. */
#include "finalize/s3/credentials.h"

#include "finalize/s3/credentials_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_BEFORE_MS    300000u
#define ASK_AGAIN_MS       1000u
#define ASK_AGAIN_READY_MS 10000u /* while those that there are still are good */

struct credentials {
    const struct settings *settings;
    struct platform platform;
    struct credentials_keys keys;
    time_t expires_at;    /* for people, by the platform's clock; 0: not known, or never */
    uint64_t expires_ms;  /* on clock_now_ms()'s clock: this machine's date may be wrong */
    uint64_t ask_at_ms;   /* UINT64_MAX: never */
    bool under_way;       /* a request */
    struct error failure; /* of the last try */
};

void credentials_wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void credentials_keys_done(struct credentials_keys *keys)
{
    credentials_wipe(&keys->id);
    credentials_wipe(&keys->secret);
    credentials_wipe(&keys->session_token);
}

static bool is_given(const char *text)
{
    return text && *text;
}

/* Takes the keys out of the settings, which are for them alone. */
static void take_from_settings(struct credentials *credentials, struct settings *settings)
{
    credentials_keys_done(&credentials->keys);
    credentials->keys = (struct credentials_keys){
        settings->s3_client_id, settings->s3_client_secret, settings->s3_session_token};
    settings->s3_client_id = settings->s3_client_secret = settings->s3_session_token = NULL;
}

static bool copy_settings(struct credentials *credentials, struct error *err)
{
    const struct settings *settings = credentials->settings;
    struct settings copy = {0};

    copy.s3_client_id = strdup(settings->s3_client_id);
    copy.s3_client_secret = strdup(settings->s3_client_secret);
    if (is_given(settings->s3_session_token))
        copy.s3_session_token = strdup(settings->s3_session_token);
    take_from_settings(credentials, &copy);
    credentials->expires_ms = credentials->ask_at_ms = UINT64_MAX;
    return (credentials->keys.id && credentials->keys.secret &&
            (credentials->keys.session_token || !is_given(settings->s3_session_token))) ||
           error_set(err, ERROR_TRANSIENT, "no memory");
}

static bool choose_source(struct credentials *credentials, struct error *err)
{
    const struct settings *settings = credentials->settings;

    if (is_given(settings->s3_client_id) && is_given(settings->s3_client_secret))
        return copy_settings(credentials, err);
    if (is_given(settings->s3_client_id) || is_given(settings->s3_client_secret))
        return error_set(err, ERROR_SETTINGS, "CONFOMEET_S3_CLIENT_%s is not set",
                         is_given(settings->s3_client_id) ? "SECRET" : "ID");
    return platform_open(&credentials->platform, err);
}

bool credentials_open(const struct settings *settings, struct credentials **ret_credentials,
                      struct error *err)
{
    struct credentials *credentials = calloc(1, sizeof *credentials);

    if (!credentials)
        return error_set(err, ERROR_TRANSIENT, "no memory");
    credentials->settings = settings;
    if (!choose_source(credentials, err)) {
        credentials_close(credentials);
        return false;
    }
    *ret_credentials = credentials;
    return true;
}

void credentials_close(struct credentials *credentials)
{
    if (!credentials)
        return;
    credentials_keys_done(&credentials->keys);
    platform_done(&credentials->platform);
    free(credentials);
}

const struct credentials_keys *credentials_keys(const struct credentials *credentials)
{
    return &credentials->keys;
}

const struct error *credentials_failure(const struct credentials *credentials)
{
    return &credentials->failure;
}

enum credentials_state credentials_state(const struct credentials *credentials, uint64_t now_ms)
{
    if (credentials->keys.id && now_ms < credentials->expires_ms)
        return CREDENTIALS_READY;
    return credentials->under_way || now_ms >= credentials->ask_at_ms ? CREDENTIALS_AWAITED
                                                                      : CREDENTIALS_FAILED;
}

static void note_failure(struct credentials *credentials, const struct error *failure,
                         uint64_t now_ms)
{
    bool are_ready = credentials_state(credentials, now_ms) == CREDENTIALS_READY;

    credentials->failure = *failure;
    credentials->ask_at_ms = now_ms + (are_ready ? ASK_AGAIN_READY_MS : ASK_AGAIN_MS);
}

bool credentials_next(struct credentials *credentials, uint64_t now_ms,
                      struct http_request *ret_request)
{
    struct error failure = ERROR_INIT;

    if (credentials->under_way || now_ms < credentials->ask_at_ms)
        return false;
    credentials->under_way = platform_ask(&credentials->platform, ret_request, &failure);
    if (credentials->under_way)
        return true;
    http_request_done(ret_request);
    note_failure(credentials, &failure, now_ms);
    return false;
}

/* They end by the clock of the platform, which its reply tells. */
static void take_keys(struct credentials *credentials, struct platform_keys *taken,
                      const struct http_reply *reply, time_t now, uint64_t now_ms)
{
    uint64_t life_ms, before_ms;
    long ahead = 0;

    credentials_keys_done(&credentials->keys);
    credentials->keys = taken->keys;
    credentials->expires_at = taken->expires_at;
    credentials->expires_ms = credentials->ask_at_ms = UINT64_MAX;
    if (!taken->expires_at)
        return;
    (void)http_reply_clock(reply, now, &ahead);
    life_ms = taken->expires_at > now + ahead
                  ? (uint64_t)(taken->expires_at - now - ahead) * 1000
                  : ASK_AGAIN_MS; /* expired by that clock: they are tried, and a server decides */
    before_ms = life_ms / 4 < RENEW_BEFORE_MS ? life_ms / 4 : RENEW_BEFORE_MS;
    credentials->expires_ms = now_ms + life_ms;
    credentials->ask_at_ms = credentials->expires_ms - before_ms;
}

void credentials_take_reply(struct credentials *credentials, const struct http_reply *reply,
                            time_t now, uint64_t now_ms)
{
    struct platform_keys taken = {.expires_at = 0};
    struct error failure = ERROR_INIT;

    credentials->under_way = false;
    if (!platform_read(&credentials->platform, reply, &taken, &failure)) {
        credentials_keys_done(&taken.keys);
        note_failure(credentials, &failure, now_ms);
    } else if (taken.keys.id) {
        take_keys(credentials, &taken, reply, now, now_ms);
    }
}

void credentials_cancel(struct credentials *credentials)
{
    credentials->under_way = false;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool read_settings_again(struct credentials *credentials)
{
    const struct credentials_keys *keys = &credentials->keys;
    struct settings read;
    bool changed =
        settings_read_keys(credentials->settings, &read) && is_given(read.s3_client_id) &&
        is_given(read.s3_client_secret) &&
        !(is_same(read.s3_client_id, keys->id) && is_same(read.s3_client_secret, keys->secret) &&
          is_same(read.s3_session_token, keys->session_token));

    if (changed)
        take_from_settings(credentials, &read);
    settings_done(&read);
    return changed;
}

bool credentials_renew(struct credentials *credentials, bool expired)
{
    if (credentials->platform.source == CREDENTIALS_SETTINGS)
        return read_settings_again(credentials);
    if (expired)
        credentials->expires_ms = credentials->ask_at_ms = 0;
    return expired;
}

void credentials_describe(const struct credentials *credentials, char *out, size_t size)
{
    char until[48] = "";
    struct tm utc;

    if (credentials->platform.source == CREDENTIALS_SETTINGS) {
        snprintf(out, size, "of CONFOMEET_S3_CLIENT_ID%s",
                 credentials->keys.session_token ? ", with a session token" : "");
        return;
    }
    if (credentials->expires_at && gmtime_r(&credentials->expires_at, &utc))
        (void)strftime(until, sizeof until, ", good until %Y-%m-%d %H:%M:%S UTC", &utc);
    snprintf(out, size, "from %s%s", platform_name(credentials->platform.source), until);
}
