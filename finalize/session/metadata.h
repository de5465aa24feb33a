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
#include <stdint.h>

#define METADATA_FILE_NAME "metadata.json"
#define METADATA_MAX_BYTES (256u * 1024) /* a larger one isn't read */

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

/* Closes the memory file. NULL is accepted. */
void metadata_done(struct metadata *metadata);
