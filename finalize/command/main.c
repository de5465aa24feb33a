/* jibri-finalize - what Jibri calls when a recording has ended, and what operators use: see --help.
 */
#include "config/settings.h"
#include "finalize/command/check.h"
#include "finalize/command/command_abandon.h"
#include "finalize/command/command_events.h"
#include "finalize/command/command_retry.h"
#include "finalize/command/command_status.h"
#include "finalize/command/command_wait.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- check ----------------------------------------------------------------------------------- */

static void on_finding(void *context, bool fine, const char *subject, const char *text,
                       const char *advice)
{
    (void)context;
    printf("%-5s %-11s %s%s%s\n", fine ? "ok" : "WRONG", subject, text, advice ? "; " : "",
           advice ? advice : "");
    fflush(stdout);
}

static int check(const struct settings *settings, const char *config)
{
    struct check_report report = {.finding = on_finding};

    settings_write_effective(settings, (const char *const *)environ, config, stdout);
    printf("\n");
    return check_run(settings, &report) ? EXPLAIN_EXIT_OK : EXPLAIN_EXIT_PERSON;
}

/* ---- the command line -------------------------------------------------------------------------
 */

static void print_help(void)
{
    printf(
        "Usage: jibri-finalize [--config FILE] DIR\n"
        "       jibri-finalize [--config FILE] COMMAND [ARGUMENT...]\n"
        "\n"
        "Uploads the recording in the session directory DIR to the S3 bucket of the settings,\n"
        "tells the backend, and then frees the disk. Jibri calls it when a meeting has ended\n"
        "(JIBRI_FINALIZE_RECORDING_SCRIPT_PATH); called again with the same directory, it goes\n"
        "on where it stopped. Also installed as finalize-s3.sh, which it replaces.\n"
        "\n"
        "  DIR            the session directory, as Jibri names it; write ./check for one that is\n"
        "                 named like a command\n"
        "  --config FILE  settings as NAME=value lines; default: the first of\n"
        "                 /run/jibri-finalize/finalize.env, /etc/jibri-finalize/finalize.env\n"
        "  --help         this text; behind a command: what it does, with examples\n"
        "  --version      the version\n"
        "\n"
        "Commands, for operators:\n"
        "  status         is my recording safe? a table, or one recording with its files\n"
        "  retry          upload again now what waits or failed\n"
        "  abandon        give a recording up; its files stay\n"
        "  wait           until nothing is under way or waits\n"
        "  events         the history of a recording\n"
        "  check          tell whether it would work: settings, directories, clock, bucket,\n"
        "                 backend; a line each\n"
        "\n"
        "Run as root, all of them first become the owner of the recordings directory.\n"
        "\n"
        "Exit codes: 0 all is safe; 75 try again later; 1 a person is needed; 78 settings;\n"
        "66 DIR isn't there or holds nothing; 64 usage. Without 0, the files stay on disk.\n"
        "\n"
        "Examples:\n"
        "  jibri-finalize check\n"
        "  jibri-finalize /config/recordings/nzqxnaoiugxqlhbp\n"
        "  jibri-finalize status\n"
        "  jibri-finalize retry --all\n"
        "\n"
        "Settings, from the environment or, lower in precedence, from the file:\n\n");
    settings_write_help(stdout);
}

static int usage_error(const char *what)
{
    fprintf(stderr, "jibri-finalize: %s; see jibri-finalize --help\n", what);
    return EXPLAIN_EXIT_USAGE;
}

/* Settings that cannot be used are findings like any other. */
static int check_problems(const struct settings_problems *problems)
{
    program_say_warnings(problems);
    for (char **line = problems->errors; line && *line; line++)
        on_finding(NULL, false, "settings", *line, NULL);
    return EXPLAIN_EXIT_PERSON;
}

static int check_or_finalize(const char *config, const char *argument)
{
    const char *path = config ? config : settings_default_file();
    bool checking = !strcmp(argument, "check");
    struct settings_problems problems;
    struct error err = ERROR_INIT;
    struct settings settings;
    int code;

    if (settings_load((const char *const *)environ, path, &settings, &problems)) {
        log_open(settings.log_level, settings.log_format);
        program_say_warnings(&problems);
        if (!command_become_owner(&settings, checking ? NULL : argument, &err)) {
            log_line(SETTINGS_LOG_ERROR, NULL, "%s; what to do: %s", err.text,
                     explain_advice(&err));
            code = (int)explain_exit_code(&err);
        } else {
            code = checking ? check(&settings, path)
                            : finalize_session(&settings, argument, FINALIZE_SESSION_JIBRI);
        }
    } else if (checking) {
        code = check_problems(&problems);
    } else {
        program_say_problems(&problems);
        code = EXPLAIN_EXIT_SETTINGS;
    }
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}

/* With `argc` words from the command's name on. */
static int run(const char *config, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct command_line *line);
    } commands[] = {{"status", command_status},
                    {"retry", command_retry},
                    {"abandon", command_abandon},
                    {"wait", command_wait},
                    {"events", command_events}};
    const struct command_line line = {.config = config, .argc = argc, .argv = argv};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[0], commands[i].name))
            return commands[i].run(&line);
    if (argc > 1 && !strcmp(argv[0], "check") && !strcmp(argv[1], "--help")) {
        print_help();
        return EXPLAIN_EXIT_OK;
    }
    if (argc > 1)
        return usage_error("more than one session directory given");
    if (!argv[0][0])
        return usage_error("the session directory's name is empty");
    return check_or_finalize(config, argv[0]);
}

static int run_program(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    const char *config = NULL;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'h':
            print_help();
            return EXPLAIN_EXIT_OK;
        case 'V':
            printf("jibri-finalize %s\n", PROJECT_VERSION);
            return EXPLAIN_EXIT_OK;
        default:
            return usage_error("unknown option, or one without its value");
        }
    }
    if (optind == argc)
        return usage_error("no session directory given");
    return run(config, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
    program_begin();
    program_end(run_program(argc, argv));
}
