/*
 * settings - every setting there is: name, type, default, check and help text, in one table.
 *
 * Parsing, --help, `check`, config/example.env and docs/settings.md all come from that table, so
 * that they cannot drift apart. Where a value comes from: the environment first (an empty variable
 * is an unset one), then a file of NAME=value lines, then the default. A secret may also be kept in
 * a file of its own, which NAME_FILE names. Knows nothing of what the settings are used for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct settings_row; /* settings_table.h */

enum settings_addressing { SETTINGS_ADDRESSING_PATH, SETTINGS_ADDRESSING_VIRTUAL };
enum settings_log_level {
    SETTINGS_LOG_ERROR,
    SETTINGS_LOG_WARNING,
    SETTINGS_LOG_INFO,
    SETTINGS_LOG_DEBUG
};
enum settings_log_format { SETTINGS_LOG_TEXT, SETTINGS_LOG_JSON };

#define SETTINGS_MOST_PARALLEL 24u                /* keeps memory below 20 MiB over TLS */
#define SETTINGS_MEDIA         "mp4,mkv,webm,m4a" /* the default of settings.media */
/* settings.keep_local_ms: the local copy is removed as soon as it is safe / never. Else
 * milliseconds. */
#define SETTINGS_KEEP_NOTHING 0u
#define SETTINGS_KEEP_FOREVER UINT64_MAX

/* The longest Retry-After of a server that is heeded; no setting. */
#define SETTINGS_LONGEST_RETRY_AFTER_S 3600u

/* All strings are owned by the struct; those that are not set are NULL unless a default is given.
 */
struct settings {
    /* the bucket */
    char *s3_url;           /* CONFOMEET_S3_URL, required: http(s)://host[:port][/path] */
    char *s3_bucket;        /* CONFOMEET_S3_BUCKET, required */
    char *s3_region;        /* CONFOMEET_S3_REGION, "us-east-1" */
    char *s3_client_id;     /* CONFOMEET_S3_CLIENT_ID; NULL: the platform's */
    char *s3_client_secret; /* CONFOMEET_S3_CLIENT_SECRET, secret; set if the id is */
    char *s3_session_token; /* CONFOMEET_S3_SESSION_TOKEN, secret; NULL: none */
    char *s3_key_prefix;    /* CONFOMEET_S3_KEY_PREFIX, "": a template, see key.h */
    enum settings_addressing s3_addressing; /* CONFOMEET_S3_ADDRESSING, path */
    char *s3_storage_class;                 /* CONFOMEET_S3_STORAGE_CLASS */
    char *s3_metadata;                      /* CONFOMEET_S3_METADATA: "name=value,name=value" */
    char *s3_object_headers;                /* CONFOMEET_S3_OBJECT_HEADERS: object_headers.h */
    bool s3_content_md5;            /* CONFOMEET_S3_CONTENT_MD5, off: for object-lock buckets */
    bool s3_conditional_writes;     /* CONFOMEET_S3_CONDITIONAL_WRITES, off: If-None-Match */
    uint64_t s3_part_size_bytes;    /* CONFOMEET_S3_PART_SIZE, 8MiB (5MiB..5GiB) */
    uint64_t s3_max_object_bytes;   /* CONFOMEET_S3_MAX_OBJECT_SIZE, 5TiB */
    uint64_t s3_parallel;           /* CONFOMEET_S3_PARALLEL, requests at once, 20 */
    uint64_t s3_connect_timeout_ms; /* CONFOMEET_S3_CONNECT_TIMEOUT, 10s (1s..5min) */
    uint64_t s3_idle_timeout_ms;    /* CONFOMEET_S3_IDLE_TIMEOUT, 1min (1s..1h) */
    uint64_t s3_retry_for_ms; /* CONFOMEET_S3_RETRY_FOR, 2min (0..24h): give up for now after so
                                 long without any success */
    uint64_t s3_rate_limit;   /* CONFOMEET_S3_RATE_LIMIT, bytes per second, 0: none; also accepts
                                 "20Mbit" */
    /* the network */
    char *ca_file; /* CONFOMEET_CA_FILE */
    char *proxy;   /* CONFOMEET_PROXY, secret (may hold a password) */
    /* the backend */
    char *base_url;              /* CONFOMEET_BASE_URL; default http://$XMPP_DOMAIN/meet */
    char *xmpp_domain;           /* XMPP_DOMAIN */
    char *backend_token;         /* CONFOMEET_BACKEND_TOKEN, secret */
    bool notice;                 /* CONFOMEET_NOTICE, on */
    uint64_t backend_timeout_ms; /* CONFOMEET_BACKEND_TIMEOUT, 30s (1s..10min) */
    /* this machine */
    char *recordings_dir; /* CONFOMEET_RECORDINGS_DIR; NULL: the directory above the session's */
    bool crash_safe;   /* CONFOMEET_CRASH_SAFE, on: for finalize/ffmpeg/, which reads it itself */
    char *media;       /* CONFOMEET_MEDIA, SETTINGS_MEDIA: endings, as file_name_is_media() takes */
    char *journal;     /* CONFOMEET_JOURNAL; NULL: <recordings dir>/.jibri-finalize/journal.db */
    char *instance_id; /* JIBRI_INSTANCE_ID; NULL: none */
    uint64_t finalize_wait_ms; /* CONFOMEET_FINALIZE_WAIT, 10min (0..7d); 0: hand over at once */
    uint64_t keep_local_ms; /* CONFOMEET_KEEP_LOCAL, nothing: SETTINGS_KEEP_… or milliseconds */
    enum settings_log_level log_level;   /* CONFOMEET_LOG_LEVEL, info */
    enum settings_log_format log_format; /* CONFOMEET_LOG_FORMAT, text */
    /* the watcher */
    bool live_upload;         /* CONFOMEET_LIVE_UPLOAD, on: send parts while Jibri records; off
                                 with {metadata.NAME} in the prefix */
    uint64_t live_rate_limit; /* CONFOMEET_LIVE_RATE_LIMIT, bytes per second, 20Mbit; 0: none */
    uint64_t retry_min_ms;    /* CONFOMEET_RETRY_MIN, 30s (1s..24h) */
    uint64_t retry_max_ms;    /* CONFOMEET_RETRY_MAX, 1h (1s..7d) */
    uint64_t orphan_after_ms; /* CONFOMEET_ORPHAN_AFTER, 10min (1s..7d) */
    uint64_t journal_keep_ms; /* CONFOMEET_JOURNAL_KEEP, 30d: SETTINGS_KEEP_… or milliseconds */
    char *status_listen;      /* CONFOMEET_STATUS_LISTEN, "127.0.0.1:9469": listen.h; or "off" */
    char *status_token;       /* CONFOMEET_STATUS_TOKEN, secret; NULL: none is asked for */
    char *webhook_url;        /* CONFOMEET_WEBHOOK_URL, secret (may hold a token); NULL: none */
    char *webhook_secret;     /* CONFOMEET_WEBHOOK_SECRET, secret; NULL: not signed */
    uint64_t disk_warning_ms; /* CONFOMEET_DISK_WARNING, 4h (0: never; ..30d) */
    /* Where all this comes from, for settings_read_keys(); borrowed from settings_load()'s caller,
     * and NULL without it. */
    const char *const *environment;
    const char *path;
};

/* One line for each wrong setting, all at once; never the value of a secret one. */
struct settings_problems {
    char **errors;   /* NULL-terminated; NULL when there are none. The settings cannot be used. */
    char **warnings; /* NULL-terminated; unknown CONFOMEET_S3_* names with the nearest known one */
};

/*
 * Fills `ret_settings` from `environment` (as environ(7): "NAME=value" strings, NULL-terminated)
 * and, lower in precedence, from the file `path` (NULL: none). False when anything is wrong: the
 * problems then say what, in lines as "CONFOMEET_S3_PART_SIZE is \"8XB\" (from the environment):
 * expected a size from 5MiB to 5GiB, as in 8MiB". Both results are to be given to their done
 * functions in either case.
 */
bool settings_load(const char *const *environment, const char *path, struct settings *ret_settings,
                   struct settings_problems *ret_problems) __attribute__((warn_unused_result));

/*
 * As settings_load(), of the settings of this machine alone (the recordings directory, the journal,
 * the log): for commands that look and ask nothing of bucket or backend, so that what is missing or
 * wrong there is not in their way. The other fields are not set.
 */
bool settings_load_machine(const char *const *environment, const char *path,
                           struct settings *ret_settings, struct settings_problems *ret_problems)
    __attribute__((warn_unused_result));

/*
 * Reads id, secret and session token again, from where settings_load() had them: from files that
 * may have changed. The other fields of `ret_keys`, which is to be given to settings_done(), are
 * not set. False when they cannot be used now, or aren't settings_load()'s.
 */
bool settings_read_keys(const struct settings *settings, struct settings *ret_keys)
    __attribute__((warn_unused_result));

/* Frees everything; secrets are wiped first. */
void settings_done(struct settings *settings);
void settings_problems_done(struct settings_problems *problems);

/*
 * The file that is read when none is named: the first of /run/jibri-finalize/finalize.env and
 * /etc/jibri-finalize/finalize.env that exists (even if it can't be read: that is to be reported,
 * not passed over); NULL when none does.
 */
const char *settings_default_file(void);

/* The documents that come from the table. */
/* For --help: name, value and default, one line each; of the settings of the watcher alone, or of
 * all others. */
void settings_write_help(FILE *out, bool of_watcher);
void settings_write_descriptions(FILE *out); /* for `settings`: name, meaning, value, default */
void settings_write_example(FILE *out);      /* config/example.env, whole */
void settings_write_markdown(FILE *out);     /* docs/settings.md */
void settings_write_compose(FILE *out);      /* the list of variables in config/jibri.yml */
void settings_write_template(FILE *out); /* the image's finalize.env, as a Go template for `tpl` */
void settings_write_man(FILE *out); /* the man page's ENVIRONMENT section, in mdoc or man macros */

/* For `check`: one "NAME=value (from the environment|a file|default)" line for each setting;
 * secrets as "set" or "not set". */
void settings_write_effective(const struct settings *settings, const char *const *environment,
                              const char *path, FILE *out);

/*
 * For `settings NAME`: the row's part of settings_write_descriptions(), then what is in effect as
 * above, or the problems of settings_load() that name the setting; false: there are some.
 */
bool settings_write_description(const struct settings_row *row, const struct settings *settings,
                                const struct settings_problems *problems,
                                const char *const *environment, const char *path, FILE *out)
    __attribute__((warn_unused_result));
