#include "finalize/program/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4200
#define NAME_SIZE 64

/* "jibri", or "user 998" where there is no such name (as in containers). */
static void name_user(uid_t uid, char name[NAME_SIZE])
{
    const struct passwd *entry = getpwuid(uid);

    if (entry)
        snprintf(name, NAME_SIZE, "%s", entry->pw_name);
    else
        snprintf(name, NAME_SIZE, "user %ld", (long)uid);
}

bool owner_become(const char *directory, struct error *err)
{
    struct stat status;
    char name[NAME_SIZE];

    if (geteuid() != 0 || stat(directory, &status) != 0 || status.st_uid == 0)
        return true;
    if (setgroups(0, NULL) != 0 || setgid(status.st_gid) != 0 || setuid(status.st_uid) != 0) {
        int failed = errno;

        name_user(status.st_uid, name);
        return error_set_errno(err, ERROR_PERMANENT, failed,
                               "cannot become %s, who owns the recordings directory %s", name,
                               directory);
    }
    prctl(PR_SET_DUMPABLE, 0); /* which a change of user may set again */
    return true;
}

/* What is there of the journal: itself, or the directory that this user may not look into. */
static bool stat_nearest(const char *journal, struct stat *ret_status)
{
    char path[PATH_SIZE];

    if (stat(journal, ret_status) == 0)
        return true;
    if (errno != EACCES)
        return false; /* it isn't there: the process that makes it owns it */
    snprintf(path, sizeof path, "%s", journal);
    for (char *slash = strrchr(path, '/'); slash && slash > path; slash = strrchr(path, '/')) {
        *slash = 0;
        if (stat(path, ret_status) == 0)
            return true;
    }
    return false;
}

bool owner_may_use(const char *journal, char ret_advice[OWNER_ADVICE_SIZE], struct error *err)
{
    char owner[NAME_SIZE], self[NAME_SIZE];
    struct stat status;

    if (!stat_nearest(journal, &status) || status.st_uid == geteuid() ||
        access(journal, R_OK | W_OK) == 0)
        return true;
    name_user(status.st_uid, owner);
    name_user(geteuid(), self);
    if (getpwuid(status.st_uid))
        snprintf(ret_advice, OWNER_ADVICE_SIZE,
                 "call it as that user: docker exec -u %s ..., or, as root, su -s /bin/sh %s -c "
                 "'jibri-finalize ...'",
                 owner, owner);
    else
        snprintf(
            ret_advice, OWNER_ADVICE_SIZE,
            "call it as that user: docker exec -u %ld ..., or as root, which becomes that user",
            (long)status.st_uid);
    return error_set(err, ERROR_PERMANENT, "the journal %.400s belongs to %s, and this is %s",
                     journal, owner, self);
}
