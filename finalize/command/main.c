/*
 * jibri-finalize - what Jibri calls when a recording has ended, and what operators use: see --help.
 */
#include "config/settings.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static void print_help(void)
{
    printf("Usage: jibri-finalize [--config FILE] DIR\n"
           "       jibri-finalize [--config FILE] COMMAND [ARGUMENT...]\n"
           "\n"
           "Uploads the recording in the session directory DIR to the S3 bucket of the\n"
           "settings, tells the backend, and then frees the disk. Jibri calls it when a\n"
           "meeting has ended (JIBRI_FINALIZE_RECORDING_SCRIPT_PATH); called again with the\n"
           "same directory, it goes on where it stopped. Also installed as finalize-s3.sh,\n"
           "which it replaces.\n"
           "\n"
           "  DIR            the session directory; ./check for one named like a command\n"
           "  --config FILE  settings, NAME=value; default /run/jibri-finalize/finalize.env,\n"
           "                 else /etc/jibri-finalize/finalize.env\n"
           "  --help         this text; after a command: what it does, with examples\n"
           "  --version      the version\n"
           "\n"
           "Commands, for operators:\n");
    command_table_print();
    printf("\n"
           "Run as root, all of them first become the owner of the recordings directory.\n"
           "\n"
           "Exit codes: 0 all is safe; 75 try again later; 1 a person is needed; 64 usage;\n"
           "66 DIR isn't there or holds nothing; 78 settings. Without 0, files stay on disk.\n"
           "\n"
           "Examples:\n"
           "  jibri-finalize check\n"
           "  jibri-finalize /config/recordings/nzqxnaoiugxqlhbp\n"
           "  jibri-finalize retry --all\n"
           "\n"
           "Settings: name, value, [default]. The environment wins over the file. One is\n"
           "explained by `settings NAME`; those of the watcher are in jibri-watcher --help.\n\n");
    settings_write_help(stdout, false);
}

static int usage_error(const char *what)
{
    fprintf(stderr, "jibri-finalize: %s; see jibri-finalize --help\n", what);
    return EXPLAIN_EXIT_USAGE;
}

/* Jibri's call, which has words of its own for what fails. */
static int finalize(const char *config, const char *directory)
{
    struct settings_problems problems;
    struct error err = ERROR_INIT;
    struct settings settings;
    const struct finalize_session_options usual = {0};
    int code = EXPLAIN_EXIT_SETTINGS;
    bool stopped;

    if (!settings_load((const char *const *)environ, config ? config : settings_default_file(),
                       &settings, &problems)) {
        program_say_problems(&problems);
        goto out;
    }
    log_open(settings.log_level, settings.log_format);
    program_say_warnings(&problems);
    if (command_become_owner(&settings, directory, &err)) {
        code = finalize_session(&settings, directory, FINALIZE_SESSION_JIBRI, &usual, &stopped);
    } else {
        log_line(SETTINGS_LOG_ERROR, NULL, "%s; what to do: %s", err.text, explain_advice(&err));
        code = (int)explain_exit_code(&err);
    }
out:
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}

/* With `argc` words from the command's name, or the directory, on. */
static int run(const char *config, int argc, char **argv)
{
    const struct command_row *row = command_table_find(argv[0]);
    struct command_line line;
    int code;

    if (row)
        return command_line_read(row, config, argc, argv, &line, &code) ? row->run(&line) : code;
    if (argc > 1)
        return usage_error("more than one session directory given");
    if (!argv[0][0])
        return usage_error("the session directory's name is empty");
    return finalize(config, argv[0]);
}

static int run_program(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"for-completion", no_argument, NULL, 'C'},
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
        case 'C': /* not in the help: for the shells' completion */
            command_table_print_completion();
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
