/*
 * credentials_private - what the files of credentials.h share: credentials.c keeps the keys and
 * knows when others are wanted, credentials_platform.c chooses and asks the platform,
 * credentials_answer.c reads what it answers.
 */
#pragma once

#include "finalize/s3/credentials.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum credentials_source {
    CREDENTIALS_SETTINGS,
    CREDENTIALS_WEB_IDENTITY,
    CREDENTIALS_CONTAINER,
    CREDENTIALS_INSTANCE
};

struct platform {
    enum credentials_source source;
    char *url;     /* that is asked, for CREDENTIALS_INSTANCE without a path; owned */
    bool direct;   /* without a proxy: it is on this machine, or beside it */
    char *token;   /* CREDENTIALS_INSTANCE: its session's; owned, as the role */
    char *role;    /* whose keys are asked for */
    bool answered; /* at least once */
};

/* What a reply brought. Owned: credentials_keys_done(). */
struct platform_keys {
    struct credentials_keys keys; /* .id is NULL while there is more to ask */
    time_t expires_at;            /* 0: not known */
};

void credentials_keys_done(struct credentials_keys *keys);

/* Overwrites and frees a secret, or NULL; it is NULL then. */
void credentials_wipe(char **text);

/* Chooses the source. As credentials_open(). */
bool platform_open(struct platform *platform, struct error *err)
    __attribute__((warn_unused_result));
void platform_done(struct platform *platform);
const char *platform_name(enum credentials_source source);

/* The next thing to ask. The caller gives `ret_request` to http_request_done() in either case. */
bool platform_ask(const struct platform *platform, struct http_request *ret_request,
                  struct error *err) __attribute__((warn_unused_result));
bool platform_read(struct platform *platform, const struct http_reply *reply,
                   struct platform_keys *ret_keys, struct error *err)
    __attribute__((warn_unused_result));
