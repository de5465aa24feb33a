#include "finalize/session/recordings_dir.h"

#include <stddef.h>
#include <unistd.h>

const char *recordings_dir_of(const struct settings *settings)
{
    static const char *const usual[] = {"/config/recordings", "/storage/recordings", NULL};

    if (settings->recordings_dir)
        return settings->recordings_dir;
    for (const char *const *directory = usual; *directory; directory++)
        if (!access(*directory, F_OK))
            return *directory;
    return NULL;
}
