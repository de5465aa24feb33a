#undef _FORTIFY_SOURCE /* openat() is replaced here */

#include "finalize/session/session_dir.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static char base[64];     /* a directory of each test's own: the recordings directory */
static char session[128]; /* base/session */
static struct session_dir *recording;
static struct error err;

/* A disk that fails to give what is called "sick". */
int openat(int fd, const char *name, int flags, ...)
{
    va_list arguments;
    int mode;

    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (strcmp(name, "sick") == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_openat, fd, name, flags, mode);
}

static void make_base(void)
{
    char made[] = "/tmp/test_recording_XXXXXX";

    umask(022);
    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    recording = NULL;
    error_clear(&err);
}

static void remove_base(void)
{
    session_dir_close(recording);
    unit_remove(base);
}

/* base/…; up to two results are good at a time. */
__attribute__((format(printf, 1, 2))) static const char *in_base(const char *format, ...)
{
    static char results[2][5000];
    static unsigned turn;
    char *result = results[turn++ % 2];
    va_list arguments;
    int length = snprintf(result, sizeof results[0], "%s/", base);

    va_start(arguments, format);
    vsnprintf(result + length, sizeof results[0] - (size_t)length, format, arguments);
    va_end(arguments);
    return result;
}

static void make_file(const char *name, const char *text)
{
    unit_write_text(in_base("%s", name), text);
}

static void make_directory(const char *name)
{
    ck_assert_msg(mkdir(in_base("%s", name), 0755) == 0, "%s: %s", name, strerror(errno));
}

static bool exists(const char *name)
{
    struct stat status;

    return lstat(in_base("%s", name), &status) == 0;
}

static void open_session(void)
{
    ck_assert_msg(session_dir_open(session, &recording, &err), "%s", err.text);
}

static void expect_failure(bool worked, enum error_kind kind, const char *word)
{
    ck_assert(!worked);
    ck_assert_msg(err.kind == kind, "kind %d: %s", (int)err.kind, err.text);
    ck_assert_msg(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
    error_clear(&err);
}

/* --- opening --- */

START_TEST(a_session_directory_knows_its_path_name_and_parent)
{
    char real_base[4096];
    static const char *const forms[] = {"session",      "session/", "session///", "./session/.",
                                        "x/../session", "link",     "link/"};

    make_directory("x");
    ck_assert_int_eq(symlink("session", in_base("link")), 0);
    ck_assert_ptr_nonnull(realpath(base, real_base));
    ck_assert_int_eq(chdir(base), 0);
    for (size_t i = 0; i < 2 * sizeof forms / sizeof forms[0]; i++) {
        const char *form = forms[i / 2];

        ck_assert_msg(session_dir_open(i % 2 ? in_base("%s", form) : form, &recording, &err),
                      "%s: %s", form, err.text);
        ck_assert_str_eq(session_dir_parent(recording), real_base);
        ck_assert_str_eq(session_dir_session_id(recording), "session");
        ck_assert_str_eq(session_dir_path(recording),
                         strcat(strcpy(session, real_base), "/session"));
        session_dir_close(recording);
    }
    ck_assert_int_eq(chdir(session), 0);
    open_session();
    session_dir_close(recording);
    ck_assert(session_dir_open(".", &recording, &err));
    ck_assert_str_eq(session_dir_path(recording), session);
}
END_TEST

START_TEST(the_parent_of_a_directory_in_the_root_is_the_root)
{
    ck_assert(session_dir_open("/dev", &recording, &err));
    ck_assert_str_eq(session_dir_parent(recording), "/");
    ck_assert_str_eq(session_dir_session_id(recording), "dev");
}
END_TEST

START_TEST(what_is_no_session_directory_is_refused)
{
    static const struct {
        const char *name;
        enum error_kind kind;
        const char *word;
    } wrong[] = {
        {"missing", ERROR_NO_INPUT, "cannot open"},
        {"missing/deeper", ERROR_NO_INPUT, "cannot open"},
        {"file", ERROR_NO_INPUT, "cannot open"},
        {"file/", ERROR_NO_INPUT, "cannot open"},
        {"file/deeper", ERROR_NO_INPUT, "cannot open"},
        {"dangling", ERROR_NO_INPUT, "cannot open"},
        {".", ERROR_USAGE, "recordings directory"},
        {"linked", ERROR_USAGE, "recordings directory"},
        {".jibri-finalize", ERROR_USAGE, "journal's directory"},
        {".jibri-finalize/deeper", ERROR_USAGE, "journal's directory"},
    };
    struct session_dir *opened = (struct session_dir *)&err;

    make_file("file", "x");
    make_directory(".jibri-finalize");
    make_directory(".jibri-finalize/deeper");
    make_directory("linked");
    ck_assert_int_eq(symlink("../.jibri-finalize", in_base("linked/.jibri-finalize")), 0);
    ck_assert_int_eq(symlink("nowhere", in_base("dangling")), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_failure(session_dir_open(in_base("%s", wrong[i].name), &opened, &err), wrong[i].kind,
                       wrong[i].word);
    expect_failure(session_dir_open("/", &opened, &err), ERROR_USAGE, "root");
    expect_failure(session_dir_open("//..//", &opened, &err), ERROR_USAGE, "root");
    expect_failure(session_dir_open("", &opened, &err), ERROR_NO_INPUT, "cannot open");
    ck_assert_ptr_eq(opened, (struct session_dir *)&err);
}
END_TEST

START_TEST(a_file_named_like_the_journal_s_directory_makes_no_recordings_directory)
{
    make_file("session/.jibri-finalize", "x");
    open_session();
}
END_TEST

static void become_nobody(void)
{
    ck_assert_int_eq(chmod(base, 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0);
}

static void become_ourselves_again(void)
{
    ck_assert_int_eq(seteuid(getuid()), 0);
}

START_TEST(a_session_directory_without_permission_needs_a_person)
{
    static const mode_t modes[] = {0000, 0444, 0111};

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(chmod(session, modes[i]), 0);
        become_nobody();
        expect_failure(session_dir_open(session, &recording, &err), ERROR_PERMANENT, "Permission");
        become_ourselves_again();
    }
    ck_assert_int_eq(chmod(session, 0755), 0);
}
END_TEST

/* --- the lock --- */

START_TEST(a_lock_is_one_process_s_and_dies_with_it)
{
    int ready[2], status;
    bool locked = true;
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        open_session();
        if (!session_dir_try_lock(recording, &locked, &err) || !locked ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
    open_session();
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(!locked);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(locked);
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(locked);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(closing_gives_the_lock_back_and_scanning_does_not)
{
    struct session_dir *other = NULL;
    bool locked = false;
    struct file_identity identity;
    int fd;

    make_file("session/a", "x");
    open_session();
    ck_assert(session_dir_open(session, &other, &err));
    ck_assert(session_dir_try_lock(other, &locked, &err));
    ck_assert(locked);
    ck_assert(session_dir_open_file(other, "a", &fd, &identity, &err));
    close(fd);
    ck_assert(session_dir_remove_file(other, "a", &identity, &err));
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(!locked);
    session_dir_close(other);
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(locked);
}
END_TEST

START_TEST(a_directory_that_was_removed_or_replaced_is_not_there)
{
    open_session();
    ck_assert(session_dir_still_there(recording));
    ck_assert_int_eq(rename(session, in_base("moved")), 0);
    ck_assert(!session_dir_still_there(recording));
    ck_assert_int_eq(symlink("moved", session), 0);
    ck_assert(!session_dir_still_there(recording));
    ck_assert_int_eq(unlink(session), 0);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    ck_assert(!session_dir_still_there(recording));
}
END_TEST

/* --- the scan --- */

struct seen {
    char text[20000]; /* "path " for a file, "path* " for a media file, "path(reason) " */
    unsigned files;
    unsigned stop_after; /* 0: never */
    bool takes_unreadable;
    uint64_t size_bytes; /* of the last one */
};

static bool see_file(void *context, const struct session_dir_file *found, struct error *file_err)
{
    struct seen *seen = context;

    strcat(strcat(strcat(seen->text, found->path), found->media ? "*" : ""), " ");
    seen->size_bytes = found->identity.size_bytes;
    if (++seen->files == seen->stop_after)
        return error_set(file_err, ERROR_STOPPED, "enough");
    return true;
}

static void see_skipped(void *context, const char *path, const char *reason)
{
    struct seen *seen = context;

    strcat(strcat(strcat(strcat(seen->text, path), "("), reason), ") ");
}

static bool see_unreadable(void *context, const char *path, int errno_value,
                           struct error *unreadable_err)
{
    (void)unreadable_err;
    see_skipped(context, path, strerror(errno_value));
    return true;
}

static bool scan(struct seen *seen)
{
    struct session_dir_visitor visitor = {
        .context = seen,
        .file = see_file,
        .skipped = see_skipped,
        .unreadable = seen->takes_unreadable ? see_unreadable : NULL,
    };

    memset(seen->text, 0, sizeof seen->text);
    seen->files = 0;
    return session_dir_scan(recording, &visitor, &err);
}

START_TEST(files_are_visited_recursively_in_byte_order_every_time)
{
    static struct seen seen;

    make_file("session/b.mp4", "12345");
    make_file("session/a", "");
    make_file("session/B", "");
    make_directory("session/ab");
    make_file("session/ab/z.WebM", "");
    make_file("session/ab/.hidden", "");
    make_file("session/\xff.mkv", "1234567");
    make_file("session/new\nline", "");
    make_directory("session/empty");
    open_session();
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(scan(&seen), "%s", err.text);
        ck_assert_str_eq(seen.text, "B a ab/.hidden ab/z.WebM* b.mp4* new\nline \xff.mkv* ");
        ck_assert(seen.size_bytes == 7);
    }
}
END_TEST

START_TEST(what_is_no_regular_file_is_passed_over_with_the_reason)
{
    static struct seen seen;

    make_directory("outside");
    make_file("outside/secret", "x");
    make_file("session/media.mp4", "x");
    ck_assert_int_eq(symlink("../outside/secret", in_base("session/link")), 0);
    ck_assert_int_eq(symlink("../outside", in_base("session/linked")), 0);
    ck_assert_int_eq(mkfifo(in_base("session/pipe"), 0644), 0);
    make_directory("session/.jibri-finalizer");
    make_directory("session/x");
    make_directory("session/x/.jibri-finalize");
    make_file("session/x/.jibri-finalize/journal.db", "x");
    ck_assert_int_eq(mknod(in_base("session/s"), S_IFSOCK | 0644, 0), 0);
    open_session();
    ck_assert(scan(&seen));
    ck_assert_str_eq(seen.text,
                     "link(a symbolic link) linked(a symbolic link) media.mp4* pipe(a FIFO) "
                     "s(a socket) x/.jibri-finalize(the journal's directory) ");
}
END_TEST

START_TEST(a_directory_that_is_not_ours_to_read_is_passed_over)
{
    static struct seen seen;

    make_directory("session/closed");
    make_file("session/closed/f", "x");
    make_directory("session/names_only");
    make_file("session/names_only/f", "x");
    make_file("session/z", "x");
    ck_assert_int_eq(chmod(in_base("session/closed"), 0), 0);
    ck_assert_int_eq(chmod(in_base("session/names_only"), 0444), 0);
    become_nobody();
    open_session();
    ck_assert_msg(scan(&seen), "%s", err.text);
    become_ourselves_again();
    ck_assert_str_eq(seen.text, "closed(not readable: Permission denied) "
                                "names_only/f(not readable: Permission denied) z ");
    ck_assert_int_eq(chmod(in_base("session/closed"), 0755), 0);
    ck_assert_int_eq(chmod(in_base("session/names_only"), 0755), 0);
}
END_TEST

START_TEST(sixteen_directories_below_are_visited_and_no_more)
{
    static struct seen seen;
    char name[128] = "session";

    for (unsigned depth = 1; depth <= 17; depth++) {
        make_directory(strcat(name, "/d"));
        if (depth >= 16) {
            make_file(strcat(name, "/f"), "x");
            name[strlen(name) - 2] = 0;
        }
    }
    open_session();
    ck_assert(scan(&seen));
    ck_assert_str_eq(seen.text, "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d(nested too deep) "
                                "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/f ");
}
END_TEST

START_TEST(a_path_that_is_too_long_is_passed_over)
{
    static struct seen seen;
    char name[256];
    int fd, next;

    memset(name, 'n', 255);
    name[255] = 0;
    fd = open(session, O_RDONLY | O_DIRECTORY);
    for (unsigned depth = 0; depth < 16; depth++) {
        ck_assert_int_eq(mkdirat(fd, name, 0755), 0);
        next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        ck_assert_int_ge(next, 0);
        close(fd);
        fd = next;
    }
    close(openat(fd, "f", O_WRONLY | O_CREAT, 0644));
    close(fd);
    open_session();
    ck_assert_msg(scan(&seen), "%s", err.text);
    ck_assert_uint_eq(seen.files, 0);
    ck_assert_ptr_nonnull(strstr(seen.text, "too long"));
    session_dir_close(recording);
    recording = NULL;
    /* nftw() can't go there: take it apart by moving each level to the top */
    for (unsigned depth = 0; depth < 16; depth++) {
        ck_assert_int_eq(rename(in_base("session/%s", name), in_base("level")), 0);
        if (depth == 15)
            break;
        ck_assert_int_eq(rename(in_base("level/%s", name), in_base("session/%s", name)), 0);
        ck_assert_int_eq(rmdir(in_base("level")), 0);
    }
}
END_TEST

START_TEST(a_visitor_ends_the_scan_with_its_own_error)
{
    static struct seen seen = {.stop_after = 2};

    make_file("session/a", "x");
    make_directory("session/b");
    make_file("session/b/c", "x");
    make_file("session/d", "x");
    open_session();
    ck_assert(!scan(&seen));
    ck_assert_str_eq(seen.text, "a b/c ");
    ck_assert_int_eq(err.kind, ERROR_STOPPED);
}
END_TEST

START_TEST(what_the_disk_fails_to_give_is_told_of_and_the_others_are_visited)
{
    static struct seen seen;

    make_file("session/a", "x");
    make_directory("session/sick");
    make_file("session/z", "x");
    open_session();
    seen.takes_unreadable = true;
    ck_assert_msg(scan(&seen), "%s", err.text);
    ck_assert_str_eq(seen.text, "a sick(Input/output error) z ");
    seen.takes_unreadable = false;
    ck_assert(!scan(&seen));
    ck_assert_int_eq(err.sys_errno, EIO);
}
END_TEST

START_TEST(an_empty_or_removed_directory_has_no_files)
{
    static struct seen seen;

    open_session();
    ck_assert(scan(&seen));
    ck_assert_str_eq(seen.text, "");
    ck_assert_int_eq(rmdir(session), 0);
    ck_assert_msg(scan(&seen), "%s", err.text);
    ck_assert_str_eq(seen.text, "");
}
END_TEST

/* --- opening files --- */

static struct file_identity identity_of(const char *path)
{
    struct file_identity identity;
    int fd;

    ck_assert_msg(session_dir_open_file(recording, path, &fd, &identity, &err), "%s", err.text);
    close(fd);
    return identity;
}

START_TEST(a_file_is_opened_and_identified)
{
    struct file_identity identity, again;
    char text[8] = "";
    int fd = -1;

    make_directory("session/d");
    make_file("session/d/f", "bytes");
    open_session();
    ck_assert(session_dir_open_file(recording, "d/f", &fd, &identity, &err));
    ck_assert_int_eq((int)read(fd, text, sizeof text), 5);
    ck_assert_str_eq(text, "bytes");
    ck_assert(identity.size_bytes == 5);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    ck_assert(session_dir_open_file(recording, "d/f", &fd, &again, &err));
    ck_assert(file_identity_same(&identity, &again));
    close(fd);
    make_file("session/d/f", "bytes!");
    ck_assert(session_dir_open_file(recording, "d/f", &fd, &again, &err));
    ck_assert(!file_identity_same(&identity, &again));
    close(fd);
}
END_TEST

START_TEST(a_file_that_is_gone_or_another_thing_has_changed)
{
    static const char *const changed[] = {"missing",  "missing/f", "pipe", "link",
                                          "linked/f", "d",         "f/x"};
    struct file_identity identity;
    int fd = -7;

    make_directory("session/d");
    make_file("session/f", "x");
    ck_assert_int_eq(mkfifo(in_base("session/pipe"), 0644), 0);
    ck_assert_int_eq(symlink("f", in_base("session/link")), 0);
    make_directory("outside");
    make_file("outside/f", "x");
    ck_assert_int_eq(symlink("../outside", in_base("session/linked")), 0);
    open_session();
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
        expect_failure(session_dir_open_file(recording, changed[i], &fd, &identity, &err),
                       ERROR_CHANGED, changed[i]);
    ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(a_path_that_leads_elsewhere_is_never_used)
{
    static const char *const paths[] = {
        "",   "/etc/passwd", "..", "../outside", "a/../../outside",           ".", "./a",
        "a/", "a//b",        "/",  "a/.",        ".jibri-finalize/journal.db"};
    struct file_identity identity = {0};
    char long_path[SESSION_PATH_SIZE + 1];
    int fd;

    make_file("outside", "x");
    make_directory("session/a");
    open_session();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect_failure(session_dir_open_file(recording, paths[i], &fd, &identity, &err),
                       ERROR_PERMANENT, "not the path");
        expect_failure(session_dir_remove_file(recording, paths[i], &identity, &err),
                       ERROR_PERMANENT, "not the path");
    }
    memset(long_path, 'a', sizeof long_path);
    for (size_t i = 100; i < sizeof long_path; i += 100)
        long_path[i] = '/';
    long_path[SESSION_PATH_SIZE] = 0;
    expect_failure(session_dir_open_file(recording, long_path, &fd, &identity, &err),
                   ERROR_PERMANENT, "not the path");
    long_path[256] = 0;
    memset(long_path, 'a', 256);
    expect_failure(session_dir_open_file(recording, long_path, &fd, &identity, &err),
                   ERROR_PERMANENT, "not the path");
    ck_assert(exists("outside"));
}
END_TEST

START_TEST(a_file_without_permission_needs_a_person)
{
    struct file_identity identity;
    int fd;

    make_file("session/f", "x");
    ck_assert_int_eq(chmod(in_base("session/f"), 0), 0);
    become_nobody();
    open_session();
    expect_failure(session_dir_open_file(recording, "f", &fd, &identity, &err), ERROR_PERMANENT,
                   "Permission");
    become_ourselves_again();
}
END_TEST

/* --- removing --- */

START_TEST(a_file_goes_with_the_directories_that_become_empty)
{
    struct file_identity identity;

    make_directory("session/a");
    make_directory("session/a/b");
    make_directory("session/a/b/c");
    make_file("session/a/b/c/f", "x");
    make_file("session/a/g", "x");
    open_session();
    identity = identity_of("a/b/c/f");
    ck_assert_msg(session_dir_remove_file(recording, "a/b/c/f", &identity, &err), "%s", err.text);
    ck_assert(!exists("session/a/b"));
    ck_assert(exists("session/a/g"));
    ck_assert_msg(session_dir_remove_file(recording, "a/b/c/f", &identity, &err), "%s", err.text);
    identity = identity_of("a/g");
    ck_assert(session_dir_remove_file(recording, "a/g", &identity, &err));
    ck_assert(!exists("session/a"));
    ck_assert(exists("session"));
}
END_TEST

START_TEST(directories_left_by_a_kill_go_at_the_next_try)
{
    struct file_identity identity = {0};

    make_directory("session/a");
    make_directory("session/a/b");
    open_session();
    ck_assert(session_dir_remove_file(recording, "a/b/c/f", &identity, &err));
    ck_assert(!exists("session/a"));
}
END_TEST

START_TEST(a_file_that_changed_is_not_removed)
{
    struct file_identity expected;
    struct timespec times[2] = {{1, 0}, {1, 0}};

    make_file("session/f", "x");
    open_session();
    expected = identity_of("f");

    make_file("session/f", "longer");
    expect_failure(session_dir_remove_file(recording, "f", &expected, &err), ERROR_CHANGED, ": f");
    expected = identity_of("f");
    ck_assert_int_eq(utimensat(AT_FDCWD, in_base("session/f"), times, 0), 0);
    expect_failure(session_dir_remove_file(recording, "f", &expected, &err), ERROR_CHANGED, ": f");
    expected = identity_of("f");
    expected.inode++;
    expect_failure(session_dir_remove_file(recording, "f", &expected, &err), ERROR_CHANGED, ": f");
    ck_assert(exists("session/f"));
}
END_TEST

START_TEST(a_link_or_directory_in_a_file_s_place_is_not_removed)
{
    struct file_identity expected;

    make_directory("session/d");
    make_file("session/d/f", "x");
    make_directory("outside");
    open_session();
    expected = identity_of("d/f");

    ck_assert_int_eq(rename(in_base("session/d/f"), in_base("outside/f")), 0);
    ck_assert_int_eq(symlink("../../outside/f", in_base("session/d/f")), 0);
    ck_assert(session_dir_remove_file(recording, "d/f", &expected, &err));
    ck_assert_int_eq(unlink(in_base("session/d/f")), 0); /* the link is still there */
    make_directory("session/d/f");
    ck_assert(session_dir_remove_file(recording, "d/f", &expected, &err));
    ck_assert(exists("session/d/f"));

    ck_assert_int_eq(rename(in_base("session/d"), in_base("moved")), 0);
    ck_assert_int_eq(symlink("../outside", in_base("session/d")), 0);
    ck_assert(session_dir_remove_file(recording, "d/f", &expected, &err));
    ck_assert(exists("outside/f"));
}
END_TEST

START_TEST(a_file_that_may_not_be_removed_needs_a_person)
{
    struct file_identity identity;

    make_file("session/f", "x");
    ck_assert_int_eq(chmod(session, 0555), 0);
    become_nobody();
    open_session();
    identity = identity_of("f");
    ck_assert(!session_dir_remove_file(recording, "f", &identity, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_int_eq(err.sys_errno, EACCES);
    become_ourselves_again();
    ck_assert(exists("session/f"));
    ck_assert_int_eq(chmod(session, 0755), 0);
}
END_TEST

START_TEST(an_empty_session_directory_is_removed)
{
    bool removed = false;

    make_directory("session/a");
    make_directory("session/a/b");
    make_directory("session/c");
    open_session();
    ck_assert_msg(session_dir_remove_directory(recording, &removed, &err), "%s", err.text);
    ck_assert(removed);
    ck_assert(!exists("session"));
    ck_assert(!session_dir_still_there(recording));
    removed = false;
    ck_assert_msg(session_dir_remove_directory(recording, &removed, &err), "%s", err.text);
    ck_assert(removed);
}
END_TEST

START_TEST(a_session_directory_with_anything_in_it_stays_as_it_is)
{
    static const char *const kinds[] = {"file", "link", "journal"};

    for (size_t i = 0; i < 3; i++) {
        bool removed = true;

        make_directory("session/a");
        make_directory("session/a/empty");
        if (i == 0)
            make_file("session/a/x", "");
        else if (i == 1)
            ck_assert_int_eq(symlink("nowhere", in_base("session/a/x")), 0);
        else
            make_directory("session/a/.jibri-finalize");
        open_session();
        ck_assert_msg(session_dir_remove_directory(recording, &removed, &err), "%s: %s", kinds[i],
                      err.text);
        ck_assert_msg(!removed && exists("session/a/empty"), "%s", kinds[i]);
        session_dir_close(recording);
        recording = NULL;
        unit_remove(session);
        make_directory("session");
    }
}
END_TEST

START_TEST(another_directory_in_the_session_s_place_is_not_removed)
{
    bool removed = false;

    open_session();
    ck_assert_int_eq(rename(session, in_base("moved")), 0);
    make_directory("session");
    expect_failure(session_dir_remove_directory(recording, &removed, &err), ERROR_CHANGED, session);
    ck_assert(exists("session") && exists("moved"));
}
END_TEST

START_TEST(a_session_directory_that_may_not_be_removed_needs_a_person)
{
    bool removed = false;

    become_nobody();
    if (getuid() != 0)
        ck_assert_int_eq(chmod(base, 0555), 0);
    open_session();
    expect_failure(session_dir_remove_directory(recording, &removed, &err), ERROR_PERMANENT,
                   "Permission");
    become_ourselves_again();
    ck_assert_int_eq(chmod(base, 0755), 0);
    ck_assert(exists("session"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *tests = tcase_create("recording");

    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, a_session_directory_knows_its_path_name_and_parent);
    tcase_add_test(tests, the_parent_of_a_directory_in_the_root_is_the_root);
    tcase_add_test(tests, what_is_no_session_directory_is_refused);
    tcase_add_test(tests, a_file_named_like_the_journal_s_directory_makes_no_recordings_directory);
    tcase_add_test(tests, a_session_directory_without_permission_needs_a_person);
    tcase_add_test(tests, a_lock_is_one_process_s_and_dies_with_it);
    tcase_add_test(tests, closing_gives_the_lock_back_and_scanning_does_not);
    tcase_add_test(tests, a_directory_that_was_removed_or_replaced_is_not_there);
    tcase_add_test(tests, files_are_visited_recursively_in_byte_order_every_time);
    tcase_add_test(tests, what_is_no_regular_file_is_passed_over_with_the_reason);
    tcase_add_test(tests, a_directory_that_is_not_ours_to_read_is_passed_over);
    tcase_add_test(tests, sixteen_directories_below_are_visited_and_no_more);
    tcase_add_test(tests, a_path_that_is_too_long_is_passed_over);
    tcase_add_test(tests, a_visitor_ends_the_scan_with_its_own_error);
    tcase_add_test(tests, what_the_disk_fails_to_give_is_told_of_and_the_others_are_visited);
    tcase_add_test(tests, an_empty_or_removed_directory_has_no_files);
    tcase_add_test(tests, a_file_is_opened_and_identified);
    tcase_add_test(tests, a_file_that_is_gone_or_another_thing_has_changed);
    tcase_add_test(tests, a_path_that_leads_elsewhere_is_never_used);
    tcase_add_test(tests, a_file_without_permission_needs_a_person);
    tcase_add_test(tests, a_file_goes_with_the_directories_that_become_empty);
    tcase_add_test(tests, directories_left_by_a_kill_go_at_the_next_try);
    tcase_add_test(tests, a_file_that_changed_is_not_removed);
    tcase_add_test(tests, a_link_or_directory_in_a_file_s_place_is_not_removed);
    tcase_add_test(tests, a_file_that_may_not_be_removed_needs_a_person);
    tcase_add_test(tests, an_empty_session_directory_is_removed);
    tcase_add_test(tests, a_session_directory_with_anything_in_it_stays_as_it_is);
    tcase_add_test(tests, another_directory_in_the_session_s_place_is_not_removed);
    tcase_add_test(tests, a_session_directory_that_may_not_be_removed_needs_a_person);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
