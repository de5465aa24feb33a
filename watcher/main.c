/* jibri-watcher - what runs beside Jibri: see --help. */
#include "config/settings.h"
#include "finalize/explain.h"
#include "finalize/log.h"
#include "finalize/program.h"
#include "watcher/health.h"
#include "watcher/watcher.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static void print_help(void)
{
    printf(
        "Usage: jibri-watcher [--config FILE] [--health]\n"
        "\n"
        "Runs beside Jibri, under a supervisor, as Jibri's user: sends finished parts of a\n"
        "recording while Jibri still records, tries again what failed, and finalizes what a crash\n"
        "left behind. Runs until SIGTERM; SIGHUP makes it read its settings again.\n"
        "\n"
        "  --config FILE  settings as NAME=value lines; default: the first of\n"
        "                 /run/jibri-finalize/finalize.env, /etc/jibri-finalize/finalize.env\n"
        "  --health       tell whether a watcher runs for the recordings directory, exit code 0 "
        "or\n"
        "                 1, and nothing else\n"
        "  --help         this text\n"
        "  --version      the version\n"
        "\n"
        "Settings, from the environment or, lower in precedence, from the file:\n\n");
    settings_write_help(stdout);
}

static int usage_error(const char *what)
{
    fprintf(stderr, "jibri-watcher: %s; see jibri-watcher --help\n", what);
    return EXPLAIN_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"health", no_argument, NULL, 'H'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    const char *config = NULL;
    bool asks_health = false;
    int option;

    program_begin();
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
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
    if (argc != optind)
        return usage_error("it takes no arguments");
    return asks_health ? health_run(config) : watcher_run(config);
}
