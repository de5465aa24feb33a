#include "finalize/command/command_abandon.h"

#include "finalize/command/command_retry.h"
#include "finalize/command/screen.h"
#include "finalize/command/status_text.h"
#include "finalize/command/target.h"
#include "finalize/command/text_column.h"
#include "finalize/lifecycle/abandon.h"
#include "finalize/program/explain.h"
#include "finalize/program/program.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REASON_SIZE 256 /* as journal_recording.reason */

struct abandon {
    char reason[REASON_SIZE];
    bool yes;
};

static void print_help(void)
{
    printf(
        "Usage: jibri-finalize [--config FILE] abandon [OPTION...] DIR|ID...\n"
        "\n"
        "Gives recordings up: nothing tries them again, their files stay on the disk. What was\n"
        "sent of them is removed from the bucket (open multipart uploads are aborted); what is\n"
        "an object already stays. `jibri-finalize retry` takes them up again.\n"
        "\n"
        "  ID             a session id or its first 4 characters or more, a number as shown by\n"
        "                 status, or a meeting id that is there once\n"
        "  --reason TEXT  why; kept in the journal, shown by status\n"
        "  --yes          do not ask\n"
        "  --help         this text\n"
        "\n"
        "Exit codes: 0 done; 75 done, but an upload could not be aborted now (the watcher tries\n"
        "again); 66 there is no such recording; 64 usage; 1 it did not work; 78 settings.\n"
        "\n"
        "Examples:\n"
        "  jibri-finalize abandon 12 --reason 'a test, nobody wants it'\n"
        "  jibri-finalize abandon --yes nzqxnaoiugxqlhbp\n");
}

/* 0: go on; -1: all is said; else an exit code. */
static int read_line(const struct command_line *line, struct abandon *abandon)
{
    static const struct option options[] = {{"reason", required_argument, NULL, 'r'},
                                            {"yes", no_argument, NULL, 'y'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;

    optind = 0; /* another command line than main()'s */
    opterr = 0;
    while ((option = getopt_long(line->argc, line->argv, "hy", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            if (strlen(optarg) >= REASON_SIZE)
                return command_misused("abandon", "the reason is longer than %d bytes",
                                       REASON_SIZE - 1);
            snprintf(abandon->reason, sizeof abandon->reason, "%s", optarg);
            break;
        case 'y':
            abandon->yes = true;
            break;
        case 'h':
            print_help();
            return -1;
        default:
            return command_misused("abandon", "unknown option, or one without its value");
        }
    }
    if (optind == line->argc)
        return command_misused("abandon", "no recording is named");
    if (!abandon->yes && !isatty(STDIN_FILENO))
        return command_misused("abandon", "there is no terminal to ask on: say --yes");
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct listing {
    struct buffer text;
    struct status_text_style style;
};

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct listing *listing = context;

    (void)err;
    status_text_append_row(&listing->text, recording, &listing->style);
    return true;
}

static bool show(struct report *report, const struct targets *targets, struct error *err)
{
    const char **directories = targets_directories(targets);
    const struct report_filter filter = {.directories = directories};
    struct listing listing;
    const struct report_visitor visitor = {.context = &listing, .recording = on_recording};
    struct screen screen;
    bool ok;

    screen_look(&screen);
    listing.style = (struct status_text_style){.columns = screen.columns,
                                               .colours = screen.colours,
                                               .watcher = report_watcher(report),
                                               .now = time(NULL)};
    buffer_init(&listing.text, 1u << 20);
    ok = directories && report_each(report, &filter, time(NULL), &visitor, NULL, err);
    if (ok)
        fputs(buffer_text(&listing.text), stdout);
    buffer_done(&listing.text);
    free(directories);
    return ok;
}

static bool is_confirmed(size_t count)
{
    char answer[16];

    printf("Give %s up? The files stay on the disk. [y/N] ", count > 1 ? "these" : "it");
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- doing it -------------------------------------------------------------------------------- */

static bool on_stop_requested(void *context)
{
    return program_stop_requested(context);
}

static void on_waits(void *context)
{
    (void)context;
    fprintf(stderr, "waiting: another process works on this recording\n");
}

static int give_up_one(const struct command *command, const struct abandon *abandon,
                       const char *directory, struct program_stop *stop)
{
    const struct abandon_options giving_up = {.settings = &command->settings,
                                              .can_ask = command->complete,
                                              .journal = command->journal,
                                              .directory = directory,
                                              .reason = abandon->reason,
                                              .stop_fd = stop->fd,
                                              .stop_requested = on_stop_requested,
                                              .waits = on_waits,
                                              .context = stop};
    struct abandon_result result;
    struct error err = ERROR_INIT;
    struct buffer text;

    if (!abandon_recording(&giving_up, &result, &err))
        return command_fail(&err);
    buffer_init(&text, 16384);
    text_column_append(&text, directory, 0);
    printf("abandoned: %s; its files stay%s\n", buffer_text(&text),
           result.aborted ? ", what was sent of it is removed from the bucket" : "");
    buffer_done(&text);
    if (!result.left)
        return EXPLAIN_EXIT_OK;
    fflush(stdout);
    fprintf(stderr,
            "jibri-finalize: %u upload(s) in the bucket could not be aborted: %s; what to do: "
            "nothing where a watcher runs, which tries again; else %s\n",
            result.left, result.why.text, explain_advice(&result.why));
    return EXPLAIN_EXIT_LATER;
}

static int give_up_each(const struct command *command, const struct abandon *abandon,
                        const struct targets *targets)
{
    struct program_stop stop;
    int code = EXPLAIN_EXIT_OK;

    program_stop_open(&stop);
    for (size_t i = 0; i < targets->count && !program_stop_requested(&stop); i++)
        code = command_retry_worse(
            code, give_up_one(command, abandon, targets->list[i].directory, &stop));
    if (stop.requested)
        code = command_retry_worse(code, EXPLAIN_EXIT_LATER);
    program_stop_close(&stop);
    return code;
}

int command_abandon(const struct command_line *line)
{
    struct abandon abandon = {.yes = false};
    int code = read_line(line, &abandon);
    struct targets targets = {0};
    struct error err = ERROR_INIT;
    struct report *report = NULL;
    struct command command;

    if (code)
        return code < 0 ? EXPLAIN_EXIT_OK : code;
    text_column_begin();
    if (command_open(&command, line, COMMAND_MAY_WORK, line->argv[optind], &code)) {
        const struct report_source source = {.journal = command.journal,
                                             .recordings_dir = command.recordings_dir};

        if (!report_open(&source, &report, &err) ||
            !targets_find(report, line->argv + optind, (size_t)(line->argc - optind), time(NULL),
                          stderr, &targets, &err) ||
            (!abandon.yes && !show(report, &targets, &err)))
            code = command_fail(&err);
        else if (!abandon.yes && !is_confirmed(targets.count))
            printf("nothing was done\n");
        else
            code = give_up_each(&command, &abandon, &targets);
        report_close(report);
    }
    targets_done(&targets);
    command_close(&command);
    return code;
}
