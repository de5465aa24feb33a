#include "watcher/watcher.h"

#include "finalize/explain.h"
#include "finalize/log.h"
#include "finalize/program.h"

#include <poll.h>
#include <stddef.h>
#include <unistd.h>

int watcher_run(const char *config)
{
    const char *path = config ? config : settings_default_file();
    struct settings_problems problems;
    struct settings settings;
    struct program_stop stop;
    int code = EXPLAIN_EXIT_SETTINGS;

    if (settings_load((const char *const *)environ, path, &settings, &problems)) {
        log_open(settings.log_level, settings.log_format);
        program_stop_open(&stop);
        while (!program_stop_requested(&stop))
            (void)poll(&(struct pollfd){.fd = stop.fd, .events = POLLIN}, 1, -1);
        program_stop_close(&stop);
        code = EXPLAIN_EXIT_OK;
    } else {
        program_say_problems(&problems);
    }
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}
