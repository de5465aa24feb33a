#include "watcher/health.h"

#include "config/settings.h"
#include "finalize/lifecycle/lock_file.h"
#include "finalize/session/recordings_dir.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static bool is_running(const struct settings *settings)
{
    const char *directory = recordings_dir_of(settings);
    bool held;

    if (!directory) {
        puts("no recordings directory is known: set CONFOMEET_RECORDINGS_DIR");
        return false;
    }
    held = lock_file_is_held(settings, directory, LOCK_FILE_WATCHER);
    printf("%s watcher works for %s\n", held ? "a" : "no", directory);
    return held;
}

int health_run(const char *config)
{
    const char *path = config ? config : settings_default_file();
    struct settings_problems problems;
    struct settings settings;
    bool healthy = false;

    if (settings_load((const char *const *)environ, path, &settings, &problems))
        healthy = is_running(&settings);
    else
        printf("the settings cannot be used: %s\n", problems.errors ? problems.errors[0] : "");
    settings_done(&settings);
    settings_problems_done(&problems);
    return healthy ? 0 : 1;
}
