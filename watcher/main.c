/* jibri-watcher - what runs beside Jibri: see --help. */
#include "config/settings.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "watcher/health.h"
#include "watcher/watcher.h"
#include "watcher/work.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static void print_help(void)
{
    printf("Usage: jibri-watcher [--config FILE] [--health]\n"
           "\n"
           "Runs beside Jibri, under a supervisor, as Jibri's user: sends finished parts of\n"
           "a recording while Jibri still records, tries again what failed, and finalizes\n"
           "what a crash interrupted. Runs until SIGTERM; SIGHUP makes it read its settings\n"
           "again. Shows a status page, metrics and health over HTTP\n"
           "(CONFOMEET_STATUS_LISTEN).\n"
           "\n"
           "  --config FILE  settings, NAME=value; default /run/jibri-finalize/finalize.env,\n"
           "                 else /etc/jibri-finalize/finalize.env\n"
           "  --health       tell whether a watcher runs for the recordings directory (exit\n"
           "                 code 0 or 1), and nothing else\n"
           "  --help         this text\n"
           "  --version      the version\n"
           "\n"
           "Exit codes: 0 stopped by a signal; 75 start it again; 64 usage; 78 no recordings\n"
           "directory is known, or its owner cannot read the settings. Settings that cannot\n"
           "be used are logged, and it waits: recordings stay on disk.\n"
           "\n"
           "Examples:\n"
           "  jibri-watcher\n"
           "  CONFOMEET_RECORDINGS_DIR=/recordings jibri-watcher --config ./finalize.env\n"
           "  jibri-watcher --health || echo 'no watcher runs'\n"
           "\n"
           "Settings: name, value, [default]. The environment wins over the file.\n"
           "`jibri-finalize settings NAME` explains one; `jibri-finalize --help` lists those\n"
           "that the watcher reads as well.\n\n");
    settings_write_help(stdout, true);
}

static int usage_error(const char *what)
{
    fprintf(stderr, "jibri-watcher: %s; see jibri-watcher --help\n", what);
    return EXPLAIN_EXIT_USAGE;
}

/* A worker: how the watcher calls itself. */
static int work(const char *config, enum worker_kind kind, const char *subject)
{
    const char *path = config ? config : settings_default_file();
    struct settings_problems problems;
    struct settings settings;
    int code = EXPLAIN_EXIT_SETTINGS;

    if (settings_load((const char *const *)environ, path, &settings, &problems)) {
        log_open(settings.log_level, settings.log_format);
        code = work_run(&settings, kind, subject);
    } else {
        program_say_problems(&problems);
    }
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}

static int run_program(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"work", required_argument, NULL, 'w'},
        {"health", no_argument, NULL, 'H'},       {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0}};
    enum worker_kind kind = WORKER_KINDS;
    const char *config = NULL;
    bool asks_health = false;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'w':
            kind = work_find(optarg);
            if (kind == WORKER_KINDS)
                return usage_error("--work is for the watcher itself");
            break;
        case 'H':
            asks_health = true;
            break;
        case 'h':
            print_help();
            return EXPLAIN_EXIT_OK;
        case 'V':
            printf("jibri-watcher %s\n", PROJECT_VERSION);
            return EXPLAIN_EXIT_OK;
        default:
            return usage_error("unknown option, or one without its value");
        }
    }
    if (kind != WORKER_KINDS && argc == optind + 1)
        return work(config, kind, argv[optind]);
    if (kind != WORKER_KINDS || argc != optind)
        return usage_error("it takes no arguments");
    return asks_health ? health_run(config) : watcher_run(config);
}

int main(int argc, char **argv)
{
    program_begin();
    program_end(run_program(argc, argv));
}
