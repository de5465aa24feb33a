#include "watcher/orphan.h"

int64_t orphan_at(const struct settings *settings, const struct facts *facts)
{
    return facts->changed_at + (int64_t)(settings->orphan_after_ms / 1000);
}

bool orphan_is(const struct settings *settings, const struct facts *facts, int64_t now)
{
    return facts->has_files && !facts->locked && facts->writer != OPEN_WRITER_THERE &&
           now >= orphan_at(settings, facts);
}
