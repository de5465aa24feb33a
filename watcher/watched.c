#include "watcher/watched.h"

#include <stdlib.h>
#include <string.h>

void watched_done(struct watched_sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++)
        free(sessions->list[i].directory);
    free(sessions->list);
    *sessions = (struct watched_sessions){0};
}

/* Where `directory` is, or would be. */
static size_t find(const struct watched_sessions *sessions, const char *directory)
{
    size_t low = 0;
    size_t high = sessions->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(sessions->list[middle].directory, directory) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct watched_session *watched_get(struct watched_sessions *sessions, const char *directory)
{
    size_t at = find(sessions, directory);
    struct watched_session *list;
    char *copy;

    if (at < sessions->count && !strcmp(sessions->list[at].directory, directory))
        return &sessions->list[at];
    list = reallocarray(sessions->list, sessions->count + 1, sizeof *list);
    if (!list)
        return NULL;
    sessions->list = list;
    copy = strdup(directory);
    if (!copy)
        return NULL;
    memmove(&list[at + 1], &list[at], (sessions->count++ - at) * sizeof *list);
    list[at] = (struct watched_session){.directory = copy};
    return &list[at];
}

void watched_remove(struct watched_sessions *sessions, struct watched_session *session)
{
    size_t at = (size_t)(session - sessions->list);

    free(session->directory);
    memmove(session, session + 1, (sessions->count - at - 1) * sizeof *session);
    sessions->count--;
}

int64_t watched_next_look(const struct watched_sessions *sessions)
{
    int64_t next = 0;

    for (size_t i = 0; i < sessions->count; i++) {
        int64_t look_at = sessions->list[i].look_at;

        if (look_at && (!next || look_at < next))
            next = look_at;
    }
    return next;
}
