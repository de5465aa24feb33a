/* credentials_answer - what a platform answers when it is asked for keys. */
#include "config/settings_checks.h"
#include "finalize/s3/credentials_private.h"
#include "finalize/s3/xml_reader.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a reply says, of either form. */
struct answer {
    struct credentials_keys keys;
    char *expires, *code, *message;
    bool failed; /* no memory, or a text that is cut off */
};

static void take_text(struct answer *answer, const char *name, const char *text)
{
    const struct {
        const char *name;
        char **place;
    } places[] = {{"AccessKeyId", &answer->keys.id},
                  {"SecretAccessKey", &answer->keys.secret},
                  {"SessionToken", &answer->keys.session_token},
                  {"Token", &answer->keys.session_token},
                  {"Expiration", &answer->expires},
                  {"Code", &answer->code},
                  {"Message", &answer->message}};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcasecmp(name, places[i].name) != 0 || *places[i].place)
            continue;
        *places[i].place = strdup(text);
        answer->failed |= !*places[i].place;
    }
}

static bool take_field(void *result, bool in_row, const char *name, char *text, bool cut)
{
    struct answer *answer = result;

    (void)in_row;
    answer->failed |= cut;
    take_text(answer, name, text);
    return true;
}

static void read_xml(const struct buffer *body, struct answer *answer)
{
    static const struct xml_document documents[] = {
        {.root = "AssumeRoleWithWebIdentityResponse", .field_depth = 4, .field = take_field},
        {.root = "ErrorResponse", .field_depth = 3, .field = take_field},
        {.root = "Error", .field = take_field}};

    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
        if (xml_read(buffer_text(body), body->length, &documents[i], answer))
            return;
}

static void read_json(const struct buffer *body, struct answer *answer)
{
    json_t *root = json_loadb(buffer_text(body), body->length, 0, NULL);
    const char *name;
    json_t *member;

    json_object_foreach(root, name, member)
    {
        if (!json_is_string(member))
            continue;
        take_text(answer, name, json_string_value(member));
        explicit_bzero((char *)json_string_value(member), json_string_length(member));
    }
    json_decref(root);
}

/* "2024-05-01T12:00:00Z", with fractions of a second or without. 0: not known. */
static time_t read_expiration(const char *text)
{
    struct tm tm = {0};

    return text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

static bool is_later_better(int status, const char *code)
{
    static const char *const codes[] = {"Throttling",
                                        "IDPCommunicationError",
                                        "ExpiredTokenException", /* the file is written again */
                                        "InternalFailure",
                                        "InternalError",
                                        "ServiceUnavailable"};

    for (size_t i = 0; code && i < sizeof codes / sizeof codes[0]; i++)
        if (!strncmp(code, codes[i], strlen(codes[i])))
            return true;
    return status >= 500 || status == 429 || status == 408;
}

static bool refuse(const struct platform *platform, const struct http_reply *reply,
                   const struct answer *answer, struct error *err)
{
    return error_set(
        err, is_later_better(reply->status, answer->code) ? ERROR_TRANSIENT : ERROR_PERMANENT,
        "no keys from %s (%s): HTTP status %d%s%.64s%s%.300s", platform_name(platform->source),
        platform->url, reply->status, answer->code ? " " : "", answer->code ? answer->code : "",
        answer->message ? ": " : "", answer->message ? answer->message : "");
}

/* Good ones are taken out of the answer. */
static bool take_keys(const struct platform *platform, const struct http_reply *reply,
                      struct answer *answer, struct platform_keys *ret_keys, struct error *err)
{
    struct credentials_keys *keys = &answer->keys;

    if (platform->source == CREDENTIALS_WEB_IDENTITY)
        read_xml(&reply->body, answer);
    else
        read_json(&reply->body, answer);
    if (reply->status != 200 || (answer->code && strcmp(answer->code, "Success") != 0))
        return refuse(platform, reply, answer, err);
    if (answer->failed || !keys->id || !keys->secret || !settings_check_client_id(keys->id) ||
        !settings_check_client_secret(keys->secret) ||
        (keys->session_token && !settings_check_token(keys->session_token)))
        return error_set(err, ERROR_TRANSIENT, "no keys from %s (%s): its answer has none",
                         platform_name(platform->source), platform->url);
    ret_keys->keys = *keys;
    ret_keys->expires_at = read_expiration(answer->expires);
    *keys = (struct credentials_keys){0};
    return true;
}

/* A step of the three that is not the last one: one line of text. */
static bool take_line(struct platform *platform, const struct http_reply *reply, char **place,
                      struct error *err)
{
    const char *text = buffer_text(&reply->body);
    const struct answer nothing = {0};

    if (reply->status != 200)
        return refuse(platform, reply, &nothing, err);
    *place = strndup(text, strcspn(text, "\r\n"));
    if (*place && settings_check_token(*place) && !strpbrk(*place, "?#"))
        return true;
    credentials_wipe(place);
    return error_set(err, ERROR_TRANSIENT, "no keys from %s (%s): its answer is empty",
                     platform_name(platform->source), platform->url);
}

static bool read_reply(struct platform *platform, const struct http_reply *reply,
                       struct platform_keys *ret_keys, struct error *err)
{
    struct answer answer = {0};
    bool ok;

    if (reply->failure != HTTP_OK) /* a metadata service that never answered isn't there */
        return error_set(err,
                         platform->source == CREDENTIALS_INSTANCE && !platform->answered &&
                                 reply->failure != HTTP_FAILED_LOCAL
                             ? ERROR_SETTINGS
                             : ERROR_TRANSIENT,
                         "no keys from %s (%s): %s", platform_name(platform->source), platform->url,
                         reply->detail);
    platform->answered = true;
    if (platform->source == CREDENTIALS_INSTANCE && !platform->token)
        return take_line(platform, reply, &platform->token, err);
    if (platform->source == CREDENTIALS_INSTANCE && !platform->role)
        return take_line(platform, reply, &platform->role, err);
    ok = take_keys(platform, reply, &answer, ret_keys, err);
    credentials_keys_done(&answer.keys);
    free(answer.expires);
    free(answer.code);
    free(answer.message);
    return ok;
}

bool platform_read(struct platform *platform, const struct http_reply *reply,
                   struct platform_keys *ret_keys, struct error *err)
{
    bool ok = read_reply(platform, reply, ret_keys, err);

    if (!ok || ret_keys->keys.id) { /* the next time starts with the first step */
        credentials_wipe(&platform->token);
        credentials_wipe(&platform->role);
    }
    return ok;
}
