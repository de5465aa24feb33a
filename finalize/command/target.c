#include "finalize/command/target.h"

#include "finalize/command/status_text.h"
#include "finalize/command/text_column.h"
#include "finalize/session/session_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LEAST_PREFIX    4u
#define MOST_CANDIDATES 20u

enum match { TARGET_NO, TARGET_MAYBE, TARGET_EXACT };

/* How well `name` names the recording; without '/', for a path is compared by the caller. */
static enum match compare(const char *name, const struct report_recording *recording)
{
    size_t length = strlen(name);
    char id[24];

    if (!strcmp(name, recording->row.session_id))
        return TARGET_EXACT;
    snprintf(id, sizeof id, "%lld", (long long)recording->row.id);
    if ((recording->row.id && !strcmp(name, id)) ||
        (recording->meeting[0] && !strcmp(name, recording->meeting)) ||
        (length >= LEAST_PREFIX && !strncmp(name, recording->row.session_id, length)))
        return TARGET_MAYBE;
    return TARGET_NO;
}

static bool fail_without_memory(struct error *err)
{
    return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot read the list of recordings");
}

bool targets_add(struct targets *targets, int64_t id, const char *directory,
                 enum report_state state, struct error *err)
{
    struct target *list;

    for (size_t i = 0; i < targets->count; i++)
        if (!strcmp(targets->list[i].directory, directory))
            return true;
    list = reallocarray(targets->list, targets->count + 1, sizeof *list);
    if (!list)
        return fail_without_memory(err);
    targets->list = list;
    list[targets->count] =
        (struct target){.id = id, .directory = strdup(directory), .state = state};
    if (!list[targets->count].directory)
        return fail_without_memory(err);
    targets->count++;
    return true;
}

void targets_done(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->list[i].directory);
    free(targets->list);
    *targets = (struct targets){0};
}

const char **targets_directories(const struct targets *targets)
{
    const char **directories = calloc(targets->count + 1, sizeof *directories);

    for (size_t i = 0; directories && i < targets->count; i++)
        directories[i] = targets->list[i].directory;
    return directories;
}

/* ---- one name -------------------------------------------------------------------------------- */

struct search {
    const char *name;
    char *path; /* what it is as a path; NULL: it can't be one */
    struct targets exact;
    struct targets maybe;
    struct buffer candidates; /* one line each */
};

/* The directory may be gone. */
static char *resolve(const char *name)
{
    char parent[SESSION_PATH_SIZE], path[SESSION_PATH_SIZE];
    char *resolved = realpath(name, NULL);

    return resolved || !session_dir_name_vanished(name, parent, path) ? resolved : strdup(path);
}

static void add_candidate(struct search *search, const struct report_recording *recording)
{
    char id[STATUS_TEXT_ID_SIZE], when[STATUS_TEXT_TIME_SIZE];

    if (search->maybe.count + search->exact.count >= MOST_CANDIDATES)
        return;
    buffer_append_text(&search->candidates, "  ");
    text_column_append_padded(&search->candidates, status_text_id(recording, id), 6);
    buffer_append_format(&search->candidates, "  %s  meeting ",
                         status_text_time(recording->row.created_at, when));
    text_column_append(&search->candidates, recording->meeting[0] ? recording->meeting : "-", 0);
    buffer_append_text(&search->candidates, "  ");
    text_column_append(&search->candidates, recording->row.directory, 0);
    buffer_append_text(&search->candidates, "\n");
}

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct search *search = context;
    enum match match = TARGET_NO;

    if (search->path && !strcmp(search->path, recording->row.directory))
        match = TARGET_EXACT;
    else if (!strchr(search->name, '/'))
        match = compare(search->name, recording);
    if (match == TARGET_NO)
        return true;
    add_candidate(search, recording);
    return targets_add(match == TARGET_EXACT ? &search->exact : &search->maybe, recording->row.id,
                       recording->row.directory, recording->state, err);
}

static bool is_directory(const char *path)
{
    struct stat status;

    return path && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool judge(struct search *search, FILE *out, struct targets *targets, struct error *err)
{
    const struct targets *found = search->exact.count ? &search->exact : &search->maybe;

    if (found->count == 1)
        return targets_add(targets, found->list[0].id, found->list[0].directory,
                           found->list[0].state, err);
    if (found->count > 1) {
        fprintf(out, "%zu recordings match that name:\n%s", found->count,
                buffer_text(&search->candidates));
        if (found->count > MOST_CANDIDATES)
            fprintf(out, "  ...\n");
        fflush(out);
        return error_set(err, ERROR_USAGE, "%.200s is ambiguous", search->name);
    }
    if (is_directory(search->path))
        return targets_add(targets, 0, search->path, REPORT_FOUND, err);
    return error_set(err, ERROR_NO_INPUT, "there is no recording %.200s", search->name);
}

static bool find_one(struct report *report, const char *name, int64_t now, FILE *out,
                     struct targets *targets, struct error *err)
{
    const struct report_filter everything = {0};
    struct search search = {.name = name, .path = resolve(name)};
    const struct report_visitor visitor = {.context = &search, .recording = on_recording};
    bool ok;

    buffer_init(&search.candidates, 256u * 1024);
    ok = name[0] ? report_each(report, &everything, now, &visitor, NULL, err)
                 : error_set(err, ERROR_USAGE, "the name of the recording is empty");
    ok = ok && judge(&search, out, targets, err);
    buffer_done(&search.candidates);
    targets_done(&search.exact);
    targets_done(&search.maybe);
    free(search.path);
    return ok;
}

bool targets_find(struct report *report, char *const *names, size_t count, int64_t now, FILE *out,
                  struct targets *ret_targets, struct error *err)
{
    *ret_targets = (struct targets){0};
    for (size_t i = 0; i < count; i++)
        if (!find_one(report, names[i], now, out, ret_targets, err))
            return false;
    return true;
}
