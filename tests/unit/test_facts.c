#include "watcher/facts.h"

#include "finalize/session/session_dir.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  INT64_C(1700000000)
#define MIB  (UINT64_C(1) << 20)
#define BASE (5 * MIB)

static char base[PATH_MAX];
static char session[PATH_MAX + 16];
static struct settings settings;
static struct journal *journal;
static struct facts facts;
static struct error err;

static void set_up(void)
{
    char made[] = "/tmp/test_facts_XXXXXX";

    signal(SIGIO, SIG_IGN);
    ck_assert_ptr_nonnull(mkdtemp(made));
    ck_assert_ptr_nonnull(realpath(made, base));
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    settings = (struct settings){
        .s3_part_size_bytes = BASE, .retry_min_ms = 30000, .retry_max_ms = 3600000};
    error_clear(&err);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
    unit_remove(base);
}

static const char *in_session(const char *name)
{
    static char path[2 * PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", session, name);
    return path;
}

static void set_time(const char *path, int64_t at)
{
    struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};

    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* A file of so many bytes, last written to at that time. */
static void make_file(const char *name, uint64_t size, int64_t at)
{
    int fd = open(in_session(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
    set_time(in_session(name), at);
    set_time(session, 1000);
}

static const struct facts *gather(void)
{
    facts = (struct facts){0};
    ck_assert_msg(facts_gather(&settings, journal, session, NOW, &facts, &err), "%s", err.text);
    return &facts;
}

static struct journal_recording add_row(enum journal_recording_state state, int64_t next_try_at)
{
    struct journal_recording row;

    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    row.state = state;
    row.next_try_at = next_try_at;
    ck_assert(journal_save_recording(journal, &row, 1000, &err));
    return row;
}

START_TEST(a_directory_that_is_not_there_is_not_there)
{
    ck_assert_int_eq(rmdir(session), 0);
    gather();
    ck_assert(!facts.exists && !facts.known);
    ck_assert_int_eq(symlink(base, session), 0); /* nor is a link to one */
    gather();
    ck_assert(!facts.exists);
}
END_TEST

START_TEST(an_empty_directory_has_no_files)
{
    set_time(session, NOW - 50);
    gather();
    ck_assert(facts.exists && !facts.has_files && !facts.locked && !facts.has_parts);
    ck_assert_int_eq(facts.changed_at, NOW - 50);
}
END_TEST

START_TEST(the_latest_change_counts_of_whatever_file)
{
    make_file("1_a.mp4", 10, NOW - 90);
    make_file("metadata.json", 2, NOW - 30);
    gather();
    ck_assert(facts.has_files);
    ck_assert_int_eq(facts.changed_at, NOW - 30);
    set_time(session, NOW - 20);
    gather();
    ck_assert_int_eq(facts.changed_at, NOW - 20);
}
END_TEST

START_TEST(changes_whose_time_has_not_come_are_told_apart)
{
    make_file("1_a.mp4", 10, NOW - 90);
    gather();
    ck_assert_int_eq(facts.ahead, 0);
    make_file("2_b.mp4", 10, NOW + 1000);
    gather();
    ck_assert_int_eq(facts.changed_at, NOW - 90);
    ck_assert_int_eq(facts.ahead, NOW + 1000);
    make_file("2_b.mp4", 10, NOW); /* which has come */
    gather();
    ck_assert_int_eq(facts.changed_at, NOW);
    ck_assert_int_eq(facts.ahead, 0);
}
END_TEST

START_TEST(files_in_directories_below_count_too)
{
    ck_assert_int_eq(mkdir(in_session("chat"), 0755), 0);
    make_file("chat/1_a.mp4", 10, NOW - 5);
    gather();
    ck_assert(facts.has_files);
    ck_assert_int_eq(facts.changed_at, NOW - 5);
}
END_TEST

START_TEST(a_writer_of_any_file_is_a_writer)
{
    int fd;

    make_file("1_a.mp4", 10, NOW);
    make_file("z.txt", 10, NOW);
    ck_assert_int_eq(gather()->writer, OPEN_WRITER_NONE);
    fd = open(in_session("1_a.mp4"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(gather()->writer, OPEN_WRITER_THERE);
    close(fd);
    fd = open(in_session("z.txt"), O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(gather()->writer, OPEN_WRITER_THERE);
    close(fd);
    ck_assert_int_eq(gather()->writer, OPEN_WRITER_NONE);
}
END_TEST

START_TEST(a_process_that_has_the_lock_is_seen)
{
    struct session_dir *recording;
    bool locked;

    make_file("1_a.mp4", 10, NOW);
    ck_assert(!gather()->locked);
    ck_assert(session_dir_open(session, &recording, &err));
    ck_assert(session_dir_try_lock(recording, &locked, &err) && locked);
    ck_assert(gather()->locked);
    session_dir_close(recording);
    ck_assert(!gather()->locked);
    ck_assert(session_dir_open(session, &recording, &err)); /* and does not keep it */
    ck_assert(session_dir_try_lock(recording, &locked, &err) && locked);
    session_dir_close(recording);
}
END_TEST

START_TEST(whole_parts_of_media_files_are_to_be_sent)
{
    make_file("notes.txt", 3 * BASE, NOW);
    ck_assert(!gather()->has_parts);
    make_file("1_a.mp4", 2 * BASE - 1, NOW);
    ck_assert(!gather()->has_parts);
    make_file("1_a.mp4", 2 * BASE, NOW);
    ck_assert(gather()->has_parts);
}
END_TEST

START_TEST(parts_that_the_bucket_holds_are_not)
{
    struct journal_recording row = add_row(JOURNAL_RECORDING_RECORDING, 0);
    struct journal_file file = {.recording_id = row.id,
                                .path = "1_a.mp4",
                                .media = true,
                                .state = JOURNAL_FILE_PENDING,
                                .mark = "m",
                                .part_plan = {.base_bytes = BASE}};
    struct journal_part part = {.number = 2, .length = BASE};

    ck_assert(journal_add_file(journal, &file, &err));
    make_file("1_a.mp4", 2 * BASE, NOW);
    ck_assert(gather()->has_parts);
    ck_assert(facts.known);
    ck_assert_int_eq(facts.state, JOURNAL_RECORDING_RECORDING);
    ck_assert(journal_save_part(journal, file.id, &part, &err));
    ck_assert(!gather()->has_parts);
    make_file("1_a.mp4", 3 * BASE, NOW);
    ck_assert(gather()->has_parts);
}
END_TEST

START_TEST(an_abandoned_recording_is_not_even_looked_at)
{
    add_row(JOURNAL_RECORDING_ABANDONED, 0);
    make_file("1_a.mp4", 3 * BASE, NOW);
    gather();
    ck_assert(facts.known && !facts.exists && !facts.has_files);
}
END_TEST

START_TEST(what_is_done_is_recorded_again_once_it_has_files_that_are_not_safe)
{
    struct journal_recording row = add_row(JOURNAL_RECORDING_DONE, 0);
    struct journal_file file = {
        .recording_id = row.id, .path = "1_a.mp4", .media = true, .mark = "m"};
    struct session_dir *recording;
    int fd;

    make_file("1_a.mp4", 3 * BASE, NOW);
    ck_assert_int_eq(gather()->state, JOURNAL_RECORDING_RECORDING);
    ck_assert(!facts.has_parts);

    file.state = JOURNAL_FILE_SAFE;
    ck_assert(session_dir_open(session, &recording, &err));
    ck_assert(session_dir_open_file(recording, "1_a.mp4", &fd, &file.identity, &err));
    close(fd);
    session_dir_close(recording);
    ck_assert(journal_add_file(journal, &file, &err));
    ck_assert_int_eq(gather()->state, JOURNAL_RECORDING_DONE);

    make_file("1_a.mp4", 3 * BASE + 1, NOW + 1);
    ck_assert_int_eq(gather()->state, JOURNAL_RECORDING_RECORDING);
}
END_TEST

START_TEST(what_waits_for_its_next_try_is_not_looked_into)
{
    add_row(JOURNAL_RECORDING_WAITING, NOW + 60);
    make_file("1_a.mp4", 10, NOW);
    gather();
    ck_assert(facts.exists && !facts.has_files);
    ck_assert_int_eq(facts.next_try_at, NOW + 60);
    add_row(JOURNAL_RECORDING_WAITING, NOW);
    ck_assert(gather()->has_files);
    add_row(JOURNAL_RECORDING_FAILED, NOW + 100000); /* further away than any pause */
    ck_assert(gather()->has_files);
    add_row(JOURNAL_RECORDING_WAITING, NOW + 60);
    facts = (struct facts){.handed_over = true};
    ck_assert(facts_gather(&settings, journal, session, NOW, &facts, &err));
    ck_assert(facts.has_files && facts.handed_over);
}
END_TEST

START_TEST(what_cannot_be_opened_is_there_and_may_have_files)
{
    struct rlimit before, none;

    set_time(session, NOW - 50);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0); /* EMFILE for each open */
    gather();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(facts.exists && facts.has_files && facts.writer == OPEN_WRITER_UNKNOWN);
    ck_assert_int_eq(facts.changed_at, NOW - 50);
}
END_TEST

START_TEST(links_are_no_files)
{
    ck_assert_int_eq(symlink("/etc/passwd", in_session("1_a.mp4")), 0);
    ck_assert(!gather()->has_files);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("facts");
    TCase *cases = tcase_create("facts");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_directory_that_is_not_there_is_not_there);
    tcase_add_test(cases, an_empty_directory_has_no_files);
    tcase_add_test(cases, the_latest_change_counts_of_whatever_file);
    tcase_add_test(cases, changes_whose_time_has_not_come_are_told_apart);
    tcase_add_test(cases, files_in_directories_below_count_too);
    tcase_add_test(cases, a_writer_of_any_file_is_a_writer);
    tcase_add_test(cases, a_process_that_has_the_lock_is_seen);
    tcase_add_test(cases, whole_parts_of_media_files_are_to_be_sent);
    tcase_add_test(cases, parts_that_the_bucket_holds_are_not);
    tcase_add_test(cases, an_abandoned_recording_is_not_even_looked_at);
    tcase_add_test(cases, what_is_done_is_recorded_again_once_it_has_files_that_are_not_safe);
    tcase_add_test(cases, what_waits_for_its_next_try_is_not_looked_into);
    tcase_add_test(cases, what_cannot_be_opened_is_there_and_may_have_files);
    tcase_add_test(cases, links_are_no_files);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
