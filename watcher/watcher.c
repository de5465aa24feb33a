#include "watcher/watcher.h"

#include "finalize/explain.h"
#include "finalize/journal_place.h"
#include "finalize/log.h"
#include "finalize/program.h"
#include "watcher/disk.h"
#include "watcher/face.h"

#include <poll.h>
#include <stddef.h>
#include <unistd.h>

/* NULL: there is none; all else goes on. */
static struct face *open_face(const struct settings *settings, char journal[JOURNAL_PLACE_SIZE])
{
    const char *directory = settings->recordings_dir ? settings->recordings_dir : "/";
    struct face_options options = {.settings = settings, .journal = journal};
    struct error err = ERROR_INIT;
    struct face *face = NULL;

    options.recordings_dir = directory;
    if (journal_place(settings, directory, journal) && !face_open(&options, &face, &err))
        log_line(SETTINGS_LOG_ERROR, NULL, "%s", err.text);
    return face;
}

int watcher_run(const char *config)
{
    const char *path = config ? config : settings_default_file();
    struct settings_problems problems;
    struct settings settings;
    struct program_stop stop;
    int code = EXPLAIN_EXIT_SETTINGS;
    char journal[JOURNAL_PLACE_SIZE];
    struct disk_trend trend = {0};
    struct face *face;

    if (settings_load((const char *const *)environ, path, &settings, &problems)) {
        log_open(settings.log_level, settings.log_format);
        program_stop_open(&stop);
        face = open_face(&settings, journal);
        while (!program_stop_requested(&stop)) {
            uint64_t full_in = 0;
            bool fills = disk_trend_full_in(&trend, &full_in);

            face_report(face, fills, full_in);
            (void)poll(&(struct pollfd){.fd = stop.fd, .events = POLLIN}, 1, 15000);
        }
        face_close(face);
        program_stop_close(&stop);
        code = EXPLAIN_EXIT_OK;
    } else {
        program_say_problems(&problems);
    }
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}
