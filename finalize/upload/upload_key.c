/*
 * upload_key - which key an upload takes: the base key, or the next one like it that no other file
 * of the journal has, and what is to be done when the bucket has another object there.
 */
#include "finalize/upload/upload_private.h"

#include "finalize/upload/key.h"

#include <stdio.h>
#include <string.h>

#define MAX_KEY_SUFFIX 99u

/* The key is what the base key and its suffix make, not of another prefix in an earlier run. */
static bool is_of_base_key(const struct upload *upload)
{
    const struct journal_file *file = upload->options.file;
    char key[S3_MAX_KEY_BYTES + 1];
    struct error ignored = ERROR_INIT;

    if (!file->key_suffix)
        return !strcmp(file->key, upload->options.base_key);
    return key_add_suffix(upload->options.base_key, file->key_suffix, key, &ignored) &&
           !strcmp(file->key, key);
}

bool upload_choose_key(struct upload *upload, struct error *err)
{
    struct journal_file *file = upload->options.file;
    struct journal_file wanted = *file;
    char sentence[2 * S3_MAX_KEY_BYTES + 128];
    struct error ignored = ERROR_INIT;
    bool taken = true;

    for (wanted.key_suffix = is_of_base_key(upload) ? file->key_suffix + 1 : 0;
         wanted.key_suffix <= MAX_KEY_SUFFIX; wanted.key_suffix++) {
        if (wanted.key_suffix == 1) /* the second of a name is "~2" */
            wanted.key_suffix = 2;
        if (wanted.key_suffix == 0)
            snprintf(wanted.key, sizeof wanted.key, "%s", upload->options.base_key);
        else if (!key_add_suffix(upload->options.base_key, wanted.key_suffix, wanted.key, &ignored))
            break;
        if (!journal_save_key(upload->options.journal, &wanted, &taken, err))
            return false;
        if (!taken)
            break;
    }
    if (taken) {
        error_set(&upload->error, ERROR_PERMANENT, "%s and %u keys like it are taken",
                  upload->options.base_key, MAX_KEY_SUFFIX);
        return upload_end(upload);
    }
    *file = wanted;
    if (file->key_suffix) {
        snprintf(sentence, sizeof sentence, "%s is the key of another object: %s is used instead",
                 upload->options.base_key, file->key);
        upload_report(upload, sentence);
    }
    return upload_go_to(upload, UPLOAD_STAGE_PROBE);
}

bool upload_leave_key(struct upload *upload, struct error *err)
{
    struct journal_file *file = upload->options.file;
    bool was_sent = file->upload_id[0] || file->phase == JOURNAL_PHASE_PUTTING;

    if (was_sent && ++upload->fresh_starts > UPLOAD_MAX_FRESH_STARTS) {
        error_set(&upload->error, ERROR_TRANSIENT,
                  "%s was sent %u times, and another object took its key", file->path,
                  upload->fresh_starts);
        return upload_end(upload);
    }
    if (file->upload_id[0] && !upload_give_up(upload, RESEND_KEY_TAKEN, err))
        return false;
    if (was_sent)
        upload->put_again = RESEND_KEY_TAKEN;
    file->phase = JOURNAL_PHASE_NONE;
    return upload_choose_key(upload, err);
}
