/*
 * metadata - Jibri's metadata.json: {"meeting_url": "...", "participants": [...], "share": true}.
 *
 * Missing or broken, it is no reason to fail. Jitsi's Dropbox integration puts a token into it,
 * "upload_credentials": that member never leaves the machine, at whatever depth and in whatever
 * case of letters it stands. Includes jansson.h, as notice does: what they have in common is JSON
 * alone.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METADATA_FILE_NAME "metadata.json"
#define METADATA_MAX_BYTES (256u * 1024) /* a larger one isn't read */

#define METADATA_MEMBERS_BYTES 8192u

enum metadata_treatment {
    METADATA_AS_IT_IS, /* upload the file */
    METADATA_REDACTED, /* upload redacted_fd instead: the same JSON without upload_credentials */
    METADATA_WITHHELD  /* it may hold the token, and can't be understood well enough to cut it out:
                          keep it here */
};

struct metadata {
    bool understood;        /* it is a JSON object */
    char meeting_url[2048]; /* without query and fragment; "" unknown or too long */
    int share;              /* 0, 1; -1 unknown */
    /* The other members of the object, as one line of JSON in ASCII, owned; but for participants,
     * and for what has a name as of a secret, at whatever depth. NULL: it isn't an object, may hold
     * credentials, or they are longer than METADATA_MEMBERS_BYTES. */
    char *members;
    enum metadata_treatment treatment;
    int redacted_fd; /* memory file with the redacted text, owned; -1 unless METADATA_REDACTED */
    uint64_t redacted_bytes;
};

/*
 * Reads metadata.json from `fd` of `size_bytes`. The redacted text is the same for the same input.
 * The bytes read and the values cut out are wiped from memory (copies that the parser made and
 * freed on its way are not). Text that can't be parsed is withheld when it has "credentials" in it,
 * in any case of letters, or an escape that could spell it ("\u00…"); text that is too large, or
 * has more than 16,384 of `{ [ , :`, isn't tried. So is text that names upload_credentials, but not
 * as a member (a string that holds JSON, say). Fails (ERROR_TRANSIENT) only when the file can't be
 * read or memory ran out: nothing is known and the file is to be withheld then. `ret_metadata` is
 * to be given to metadata_done() in any case.
 */
bool metadata_read(int fd, uint64_t size_bytes, struct metadata *ret_metadata, struct error *err)
    __attribute__((warn_unused_result));

/* Closes the memory file, frees the members. NULL is accepted. */
void metadata_done(struct metadata *metadata);

/* The text, number or truth value of the member `name`[0..length) of `members` (NULL: none), cut
 * at whole characters of UTF-8. False, and "", when there is none. */
bool metadata_member(const char *members, const char *name, size_t length, char *ret_value,
                     size_t size);
