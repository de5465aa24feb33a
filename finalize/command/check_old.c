#include "finalize/command/check_old.h"

#include "config/units.h"
#include "finalize/journal/journal_place.h"
#include "finalize/report/report.h"
#include "finalize/session/recordings_dir.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKED_AT_BYTES 65536u /* of a script */

struct old {
    const struct settings *settings;
    const char *recordings_dir;
    void (*say)(void *context, bool wrong, const char *subject, const char *text,
                const char *advice);
    void *context;
    unsigned sessions, with_media;
};

static bool mentions(const char *path, const char *word)
{
    char *text = malloc(LOOKED_AT_BYTES);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = text && fd >= 0 ? read(fd, text, LOOKED_AT_BYTES) : -1;
    bool found = length > 0 && memmem(text, (size_t)length, word, strlen(word));

    if (fd >= 0)
        close(fd);
    if (text)
        explicit_bzero(text, LOOKED_AT_BYTES); /* it may hold a secret */
    free(text);
    return found;
}

/* ---- what Jibri calls ------------------------------------------------------------------------ */

static bool is_program(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* As execvp() finds it. */
static bool find_program(const char *name, char *ret_path, size_t size)
{
    const char *path = getenv("PATH");
    size_t length;

    if (strchr(name, '/'))
        return (size_t)snprintf(ret_path, size, "%s", name) < size && is_program(ret_path);
    for (; path; path = path[length] ? path + length + 1 : NULL) {
        length = strcspn(path, ":");
        if ((size_t)snprintf(ret_path, size, "%.*s%s%s", (int)length, path, length ? "/" : "",
                             name) < size &&
            is_program(ret_path))
            return true;
    }
    return false;
}

/* This program under any name, or a script that calls it. */
static bool is_ours(const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *name = resolved ? strrchr(resolved, '/') + 1 : "";
    bool ours = !strcmp(name, "jibri-finalize") || mentions(path, "jibri-finalize");

    free(resolved);
    return ours;
}

static void look_at_script(struct old *old)
{
    const char *set = getenv("JIBRI_FINALIZE_RECORDING_SCRIPT_PATH");
    bool named = set && *set;
    const char *name = named ? set : "finalize-s3.sh";
    char path[4096], text[8192];
    bool found = find_program(name, path, sizeof path);

    if (!found && named) {
        snprintf(text, sizeof text,
                 "Jibri is told to call %s (JIBRI_FINALIZE_RECORDING_SCRIPT_PATH), which is no "
                 "program here: recordings wait until they have been quiet for "
                 "CONFOMEET_ORPHAN_AFTER",
                 name);
        old->say(old->context, true, "finalizer", text,
                 "set it to a program without arguments: finalize-s3.sh, which is jibri-finalize");
    } else if (found && !is_ours(path)) {
        snprintf(text, sizeof text, "Jibri calls %s, which is not jibri-finalize", path);
        old->say(old->context, true, "finalizer", text,
                 named ? "set JIBRI_FINALIZE_RECORDING_SCRIPT_PATH to jibri-finalize, or let that "
                         "script call it"
                       : "remove the old script, or set JIBRI_FINALIZE_RECORDING_SCRIPT_PATH to "
                         "jibri-finalize");
    }
}

/* ---- the secret ------------------------------------------------------------------------------ */

static void look_at_aws(const struct old *old)
{
    const struct passwd *user = getpwuid(geteuid());
    char path[4096], text[8192];

    if (!user ||
        (size_t)snprintf(path, sizeof path, "%s/.aws/credentials", user->pw_dir) >= sizeof path)
        return;
    if (!mentions(path, "aws_secret_access_key"))
        return;
    snprintf(text, sizeof text, "the old script left a secret key in %s", path);
    old->say(old->context, false, "old", text,
             "remove the directory .aws, if no other program needs it");
}

/* ---- sessions -------------------------------------------------------------------------------- */

static bool on_session(void *context, const struct report_recording *recording, struct error *err)
{
    struct old *old = context;
    int64_t quiet_s = time(NULL) - recording->row.created_at;

    (void)err;
    if (quiet_s >= 0 && quiet_s < (int64_t)(old->settings->orphan_after_ms / 1000))
        return true;
    old->sessions++;
    old->with_media += recording->media_name[0] != 0;
    return true;
}

static void look_at_sessions(struct old *old)
{
    const struct report_filter filter = {.states = REPORT_BIT(REPORT_FOUND)};
    const struct report_visitor visitor = {.context = old, .recording = on_session};
    struct error ignored = ERROR_INIT;
    struct report *report = NULL;
    char journal[JOURNAL_PLACE_SIZE], text[200], count[32];
    const struct report_source source = {.journal = journal,
                                         .recordings_dir = old->recordings_dir,
                                         .root = recordings_dir_of(old->settings),
                                         .media = old->settings->media};

    if (!old->recordings_dir[0] || !journal_place(old->settings, old->recordings_dir, journal))
        return;
    if (!report_open(&source, &report, &ignored) ||
        !report_each(report, &filter, time(NULL), &visitor, NULL, &ignored))
        error_clear(&ignored);
    if (old->sessions) {
        snprintf(text, sizeof text,
                 "on the disk, but not in the journal: %s, %u with media; the watcher uploads them",
                 units_format_count(old->sessions, "session", count, sizeof count),
                 old->with_media);
        old->say(old->context, false, "old", text,
                 report_watcher(report) == 0
                     ? "no watcher runs: jibri-finalize retry --all, or move away what is not to "
                       "be uploaded"
                     : "move away what is not to be uploaded");
    }
    report_close(report);
}

void check_old(const struct settings *settings, const char *recordings_dir,
               void (*say)(void *context, bool wrong, const char *subject, const char *text,
                           const char *advice),
               void *context)
{
    struct old old = {
        .settings = settings, .recordings_dir = recordings_dir, .say = say, .context = context};

    look_at_script(&old);
    look_at_aws(&old);
    look_at_sessions(&old);
}
