/*
 * credentials - the keys that requests are signed with: those of the settings or, where these have
 * none, those that the platform gives for a while.
 *
 * The platform is asked in the order of the AWS SDKs: web identity, the container's endpoint, the
 * metadata service of the instance; their AWS_... variables are in the environment. Builds the
 * requests and reads the replies; when they are sent is network.h's and engine.h's. Does no I/O but
 * for reading the small files that a token or a key is in.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct credentials;

/* Borrows `settings`, and the environment's AWS_... variables. ERROR_SETTINGS: no source of keys,
 * or one that is set up wrongly; ERROR_TRANSIENT: no memory. */
bool credentials_open(const struct settings *settings, struct credentials **ret_credentials,
                      struct error *err) __attribute__((warn_unused_result));
void credentials_close(struct credentials *credentials);

/* Borrowed until the next call that may change the keys. All are NULL until the first keys come. */
struct credentials_keys {
    char *id, *secret, *session_token; /* the last one is NULL where there is none */
};
const struct credentials_keys *credentials_keys(const struct credentials *credentials);

enum credentials_state {
    CREDENTIALS_READY, /* requests can be signed */
    CREDENTIALS_AWAITED,
    CREDENTIALS_FAILED /* the last request failed; the next one follows after a pause */
};
enum credentials_state credentials_state(const struct credentials *credentials, uint64_t now_ms);

/* The cause of CREDENTIALS_FAILED: ERROR_TRANSIENT, ERROR_PERMANENT, ERROR_SETTINGS. Borrowed. */
const struct error *credentials_failure(const struct credentials *credentials);

/*
 * True when the platform must be asked for keys now: they are missing or about to expire. The
 * caller then sends `ret_request`, and calls credentials_take_reply() with the reply, or
 * credentials_cancel().
 */
bool credentials_next(struct credentials *credentials, uint64_t now_ms,
                      struct http_request *ret_request) __attribute__((warn_unused_result));
void credentials_take_reply(struct credentials *credentials, const struct http_reply *reply,
                            time_t now, uint64_t now_ms);
void credentials_cancel(struct credentials *credentials);

/* To be called when a server says that the keys have expired (`expired`) or are wrong. True when
 * other keys are there, or will come, from the settings' files or from the platform. */
bool credentials_renew(struct credentials *credentials, bool expired);

/* One line for people: where the keys come from, and when they expire. */
void credentials_describe(const struct credentials *credentials, char *out, size_t size);
