/*
 * key - which object a file becomes.
 *
 * Media: <prefix><file name>. Everything else: <prefix><session id>/<path in the directory>.
 *
 * A name arrives as it is but for bytes that some server forbids or mangles: those become %XX
 * (upper-case hex). They are
 * `: * ? " < > | ! \`, control characters (also U+0080..U+009F, U+FFFE, U+FFFF) and bytes that
 * aren't UTF-8. So that the rule can be reversed, a '%' that is followed by two upper-case hex
 * digits becomes %25. Reversal: replace each %XX (upper case) by its byte.
 *
 * Values in the prefix, and the session id, are mapped by the same rule, and further: each '/' in
 * them becomes %2F, each '%' %25, and "." and ".." become %2E and %2E%2E. They can thus be reversed
 * whatever stands next to them, and never add a level to the path or go up one.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What the prefix template is filled with. Placeholders: {session} {instance} {meeting} {yyyy} {mm}
 * {dd} {metadata.NAME}. */
struct key_values {
    const char *session;  /* session id */
    const char *instance; /* JIBRI_INSTANCE_ID, or NULL or "": "unknown" */
    const char *meeting; /* the part of the media file's name before the first '_' (as a string; any
                            bytes), or NULL or "": "unknown" */
    int year, month, day;
    const char *metadata; /* metadata.members of metadata.h, or NULL: each is "unknown" */
};

/* Sets the day of `time` (UTC; 1970 for a time that no calendar has). */
void key_set_day(struct key_values *values, int64_t time);

/* Appends `name` mapped by the rule above; '/' stays as it is. */
void key_map(struct buffer *out, const char *name);

/*
 * The key of a file. `path` is its path in the session directory; of media, its last name counts.
 * What the template holds besides placeholders, unknown ones among it, is taken as it stands.
 * ERROR_PERMANENT when the key would have more than 1,024 bytes. Not suffixed. `ret_key` has
 * S3_MAX_KEY_BYTES + 1 bytes.
 */
bool key_choose(const char *prefix_template, const struct key_values *values, const char *path,
                bool media, char *ret_key, struct error *err) __attribute__((warn_unused_result));

/*
 * The key to use when `key` is taken, try `suffix` (from 2): "~2" is put before the ending: "a.mp4"
 * becomes "a~2.mp4", "dir.d/a" becomes "dir.d/a~2", ".a" becomes ".a~2". `ret_key` may be `key`.
 */
bool key_add_suffix(const char *key, unsigned suffix, char *ret_key, struct error *err)
    __attribute__((warn_unused_result));

/*
 * The key of the object that `jibri-finalize rescue` puts beside the one at `key`: "<key>.rescued"
 * (rescue.h). `ret_key` as above; ERROR_PERMANENT when it would be too long.
 */
bool key_of_rescue(const char *key, char *ret_key, struct error *err)
    __attribute__((warn_unused_result));
