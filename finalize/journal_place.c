#include "finalize/journal_place.h"

#include <stdio.h>
#include <string.h>

bool journal_place(const struct settings *settings, const char *parent,
                   char ret_path[JOURNAL_PLACE_SIZE])
{
    const char *directory = settings->recordings_dir ? settings->recordings_dir : parent;
    int length;

    if (settings->journal)
        length = snprintf(ret_path, JOURNAL_PLACE_SIZE, "%s", settings->journal);
    else
        length = snprintf(ret_path, JOURNAL_PLACE_SIZE, "%s/.jibri-finalize/journal.db",
                          strcmp(directory, "/") ? directory : "");
    return length > 0 && length < JOURNAL_PLACE_SIZE;
}

bool journal_place_open(const struct settings *settings, const char *parent,
                        struct journal **ret_journal, struct error *err)
{
    char path[JOURNAL_PLACE_SIZE];

    if (!journal_place(settings, parent, path))
        return error_set(err, ERROR_PERMANENT, "the path of the journal is too long");
    return journal_open(path, ret_journal, err);
}
