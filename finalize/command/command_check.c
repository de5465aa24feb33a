/* command_check - jibri-finalize check: tells before a meeting whether a recording of it will reach
 * the bucket and the backend. */
#include "config/units.h"
#include "finalize/command/check_old.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/delivery/probe.h"
#include "finalize/journal/journal_place.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "finalize/session/recordings_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct check {
    const struct settings *settings;
    bool all_fine;
    char recordings_dir[SESSION_PATH_SIZE];
};

static void print_finding(bool is_fine, const char *subject, const char *text, const char *advice)
{
    const char *level = !is_fine ? "WRONG" : advice ? "NOTE" : "ok";

    printf("%-5s %-11s %s%s%s\n", level, subject, text, advice ? "; " : "", advice ? advice : "");
    fflush(stdout);
}

static void fine(const char *subject, const char *text)
{
    print_finding(true, subject, text, NULL);
}

static void wrong(struct check *check, const char *subject, const char *text, const char *advice)
{
    check->all_fine = false;
    print_finding(false, subject, text, advice);
}

/* ---- this machine ---------------------------------------------------------------------------- */

static bool is_writable(const char *directory, int *ret_errno)
{
    int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    struct stat st;

    if (fd >= 0) {
        close(fd);
        return true;
    }
    *ret_errno = errno;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return false;
    /* A file system without nameless files: believe the permissions. */
    if (!stat(directory, &st) && S_ISDIR(st.st_mode) && !access(directory, W_OK | X_OK))
        return true;
    *ret_errno = errno;
    return false;
}

static void check_recordings_dir(struct check *check)
{
    const char *directory = recordings_dir_of(check->settings);
    struct error error = ERROR_INIT;
    struct statvfs space;
    char text[SESSION_PATH_SIZE + 64], free_space[32] = "?";
    int failure = 0;

    if (!directory) {
        wrong(check, "recordings", "no recordings directory is known",
              "set CONFOMEET_RECORDINGS_DIR to the directory that Jibri records to");
        return;
    }
    snprintf(check->recordings_dir, sizeof check->recordings_dir, "%s", directory);
    if (!is_writable(directory, &failure)) {
        error_set_errno(&error, ERROR_PERMANENT, failure, "%s is not a writable directory",
                        directory);
        wrong(check, "recordings", error.text, explain_repair(&error));
        return;
    }
    if (!statvfs(directory, &space))
        units_format_size((uint64_t)space.f_bavail * space.f_frsize, free_space, sizeof free_space);
    snprintf(text, sizeof text, "%s is writable, %s free", directory, free_space);
    fine("recordings", text);
}

static void check_journal(struct check *check)
{
    char path[JOURNAL_PLACE_SIZE];
    char text[JOURNAL_PLACE_SIZE + 32];
    struct error error = ERROR_INIT;
    struct journal *journal;

    if (!check->recordings_dir[0] && !check->settings->journal)
        return; /* said already */
    if (!journal_place(check->settings, check->recordings_dir, path)) {
        wrong(check, "journal", "its path is too long", "set CONFOMEET_JOURNAL to a shorter one");
        return;
    }
    if (!journal_place_open(check->settings, check->recordings_dir, &journal, &error) ||
        !journal_begin(journal, &error)) {
        wrong(check, "journal", error.text,
              "let this user write there, or set CONFOMEET_JOURNAL to a place where it can");
        return;
    }
    journal_rollback(journal);
    journal_close(journal);
    snprintf(text, sizeof text, "%s is writable", path);
    fine("journal", text);
}

static void say_old(void *context, bool is_wrong, const char *subject, const char *text,
                    const char *advice)
{
    if (is_wrong)
        wrong(context, subject, text, advice);
    else
        print_finding(true, subject, text, advice);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static void on_finding(const struct probe_finding *finding)
{
    print_finding(finding->fine, finding->subject, finding->text,
                  finding->error ? explain_repair(finding->error) : finding->advice);
}

static int check_all(const struct settings *settings, const char *config, bool quick)
{
    struct check check = {.settings = settings, .all_fine = true};

    settings_write_effective(settings, (const char *const *)environ, config, stdout);
    printf("\n");
    fine("settings", "all values are valid");
    check_recordings_dir(&check);
    check_journal(&check);
    check_old(settings, check.recordings_dir, say_old, &check);
    check.all_fine =
        probe_servers(settings, quick ? PROBE_QUICK : PROBE_ALL, on_finding) && check.all_fine;
    return check.all_fine ? EXPLAIN_EXIT_OK : EXPLAIN_EXIT_PERSON;
}

/* Settings that cannot be used are findings like any other. */
static int check_problems(const struct settings_problems *problems)
{
    for (char **line = problems->errors; line && *line; line++)
        print_finding(false, "settings", *line, NULL);
    return EXPLAIN_EXIT_PERSON;
}

int command_check(const struct command_line *line)
{
    const char *path = line->config ? line->config : settings_default_file();
    struct settings_problems problems;
    struct error err = ERROR_INIT;
    struct settings settings;
    bool usable;
    int code;

    if (line->count)
        return command_line_misused(line, "it takes no recording");
    usable = settings_load((const char *const *)environ, path, &settings, &problems);
    if (usable)
        log_open(settings.log_level, settings.log_format);
    program_say_warnings(&problems);
    if (!usable)
        code = check_problems(&problems);
    else if (command_become_owner(&settings, NULL, &err))
        code = check_all(&settings, path, command_line_value(line, "quick") != NULL);
    else
        code = command_fail(&err);
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}
