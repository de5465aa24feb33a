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

static bool make_room(struct watched_sessions *sessions)
{
    size_t room = sessions->room ? 2 * sessions->room : 16;
    struct watched_session *list;

    if (sessions->count < sessions->room)
        return true;
    list = reallocarray(sessions->list, room, sizeof *list);
    if (!list)
        return false;
    sessions->list = list;
    sessions->room = room;
    return true;
}

struct watched_session *watched_get(struct watched_sessions *sessions, const char *directory)
{
    size_t at = find(sessions, directory);
    char *copy;

    if (at < sessions->count && !strcmp(sessions->list[at].directory, directory))
        return &sessions->list[at];
    copy = strdup(directory);
    if (!copy || !make_room(sessions)) {
        free(copy);
        return NULL;
    }
    memmove(&sessions->list[at + 1], &sessions->list[at],
            (sessions->count - at) * sizeof *sessions->list);
    sessions->count++;
    sessions->list[at] = (struct watched_session){.directory = copy};
    return &sessions->list[at];
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
