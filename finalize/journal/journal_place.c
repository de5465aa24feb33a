#include "finalize/journal/journal_place.h"

#include "finalize/journal/journal_connect.h"
#include "finalize/session/recordings_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

bool journal_place(const struct settings *settings, const char *parent,
                   char ret_path[JOURNAL_PLACE_SIZE])
{
    const char *directory = settings->recordings_dir ? settings->recordings_dir : parent;
    int length;

    if (settings->journal)
        length = snprintf(ret_path, JOURNAL_PLACE_SIZE, "%s", settings->journal);
    else
        length = snprintf(ret_path, JOURNAL_PLACE_SIZE, "%s/" JOURNAL_DIRECTORY_NAME "/journal.db",
                          strcmp(directory, "/") ? directory : "");
    return length > 0 && length < JOURNAL_PLACE_SIZE;
}

bool journal_place_open(const struct settings *settings, const char *parent,
                        struct journal **ret_journal, struct error *err)
{
    char path[JOURNAL_PLACE_SIZE];

    if (!journal_place(settings, parent, path))
        return error_set(err, ERROR_PERMANENT, "the path of the journal is too long");
    return journal_open_for(path, recordings_dir_of(settings), ret_journal, err);
}

#define ASIDE_SIZE (JOURNAL_PLACE_SIZE + 80)

/* Names what a mistaken CONFOMEET_JOURNAL may point to: not ours to rename. */
static bool was_a_journal(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char head[sizeof magic] = "";
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, head, sizeof head) : -1;

    if (fd >= 0)
        close(fd);
    return got == (ssize_t)sizeof head && !memcmp(head, magic, sizeof magic);
}

static bool is_sound(const char *path)
{
    struct journal *journal = NULL;
    struct error ignored = ERROR_INIT;
    bool sound = journal_open(path, &journal, &ignored) && journal_check(journal, &ignored);

    journal_close(journal);
    return sound;
}

/* The write-ahead log belongs to the file that it was written for. */
static void move_companions(const char *path, const char *aside)
{
    char from[JOURNAL_PLACE_SIZE + 8], to[ASIDE_SIZE + 8];

    snprintf(from, sizeof from, "%s-wal", path);
    snprintf(to, sizeof to, "%s-wal", aside);
    (void)rename(from, to);
    snprintf(from, sizeof from, "%s-shm", path);
    (void)unlink(from); /* the index of the WAL; SQLite recreates it on demand */
}

static bool set_aside(const char *path, char ret_aside[ASIDE_SIZE], struct error *err)
{
    char stamp[32];
    struct tm day = {0};
    time_t now = time(NULL);

    ret_aside[0] = 0;
    if (is_sound(path))
        return true;
    (void)gmtime_r(&now, &day); /* our clock's year has four digits */
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &day);
    snprintf(ret_aside, ASIDE_SIZE, "%s.damaged-%s-%ld", path, stamp, (long)getpid());
    if (rename(path, ret_aside))
        return error_set_errno(err, ERROR_PERMANENT, errno, "cannot set the journal %s aside",
                               path);
    move_companions(path, ret_aside);
    return true;
}

bool journal_place_set_aside(const struct settings *settings, const char *parent,
                             char ret_sentence[JOURNAL_PLACE_SENTENCE_SIZE], struct error *err)
{
    char path[JOURNAL_PLACE_SIZE], directory[JOURNAL_PLACE_SIZE], aside[ASIDE_SIZE];
    bool ok;
    int fd;

    if (!journal_place(settings, parent, path))
        return error_set(err, ERROR_PERMANENT, "the path of the journal is too long");
    if (settings->journal && !was_a_journal(path))
        return error_set(err, ERROR_PERMANENT, "CONFOMEET_JOURNAL is no journal: %s", path);
    snprintf(directory, sizeof directory, "%s", path);
    *(strrchr(directory, '/') ? strrchr(directory, '/') : directory) = 0;
    fd = open(directory[0] ? directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, ERROR_PERMANENT, errno, "cannot set the journal %s aside",
                               path);
    /* One process at a time: the second one must not set the new journal aside. */
    ok = flock(fd, LOCK_EX) == 0 || errno == ENOLCK || errno == EBADF;
    ok = ok && set_aside(path, aside, err);
    close(fd);
    ret_sentence[0] = 0;
    if (ok && aside[0])
        snprintf(ret_sentence, JOURNAL_PLACE_SENTENCE_SIZE,
                 "the journal could not be used and was set aside as %s; the work is rebuilt from "
                 "the directories and the bucket",
                 aside);
    return ok || error_set(err, ERROR_PERMANENT, "cannot set the journal %s aside", path);
}
