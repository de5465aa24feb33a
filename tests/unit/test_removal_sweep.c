#include "finalize/lifecycle/removal.h"

#include "finalize/session/session_dir.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW  1000000
#define HOUR 3600

static char base[64];
static struct journal *journal;
static struct settings settings;
static struct error err;
static unsigned removed, failed;
static bool stored;

static void make_base(void)
{
    char made[] = "/tmp/test_removal_sweep_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    error_clear(&err);
    ck_assert(journal_open(":memory:", &journal, &err));
    settings = (struct settings){.keep_local_ms = (uint64_t)HOUR * 1000};
    removed = failed = 0;
    stored = true;
}

static void remove_base(void)
{
    journal_close(journal);
    unit_remove(base);
}

static void on_removed(void *context, const char *session_id, const char *path)
{
    (void)context;
    (void)session_id;
    (void)path;
    removed++;
}

static void on_failed(void *context, const char *session_id, const struct error *error)
{
    (void)context;
    (void)session_id;
    (void)error;
    failed++;
}

static bool is_stored(void *context, const struct journal_file *file, bool *ret_stored,
                      struct error *failure)
{
    (void)context;
    (void)file;
    (void)failure;
    *ret_stored = stored;
    return true;
}

static void sweep(void)
{
    struct removal removal = {.settings = &settings,
                              .journal = journal,
                              .run_began_at = INT64_MAX,
                              .is_stored = is_stored,
                              .removed = on_removed,
                              .failed = on_failed};

    ck_assert_msg(removal_sweep(&removal, NOW, &err), "%s", err.text);
}

static const char *file_of(const char *session)
{
    static char name[256];

    snprintf(name, sizeof name, "%s/%s/1_a.mp4", base, session);
    return name;
}

/* A session directory with one media file, whose row says `state`, safe since `safe_at`. */
static void make_recording(const char *session, enum journal_file_state state, int64_t safe_at)
{
    char directory[160];
    struct journal_recording row;
    struct journal_file file = {.media = true, .state = state, .safe_at = safe_at};
    struct session_dir *recording;
    int fd;

    snprintf(directory, sizeof directory, "%s/%s", base, session);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    unit_write_text(file_of(session), "bytes");
    ck_assert(session_dir_open(directory, &recording, &err));
    ck_assert(session_dir_open_file(recording, "1_a.mp4", &fd, &file.identity, &err));
    close(fd);
    ck_assert(
        journal_begin_recording(journal, session_dir_path(recording), session, 1, &row, &err));
    session_dir_close(recording);
    file.recording_id = row.id;
    strcpy(file.path, "1_a.mp4");
    snprintf(file.mark, sizeof file.mark, "%032d", (int)row.id);
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

static bool is_there(const char *session)
{
    return !access(file_of(session), F_OK);
}

START_TEST(one_whose_object_is_gone_is_due_again)
{
    struct journal_recording row;
    char directory[160];
    bool found;

    make_recording("old", JOURNAL_FILE_SAFE, NOW - HOUR);
    snprintf(directory, sizeof directory, "%s/old", base);
    ck_assert(journal_find_recording(journal, directory, &row, &found, &err) && found);
    row.state = JOURNAL_RECORDING_DONE;
    ck_assert(journal_save_recording(journal, &row, NOW - HOUR, &err));
    stored = false;
    sweep();
    ck_assert(is_there("old"));
    ck_assert_uint_eq(failed, 1);
    ck_assert(journal_find_recording(journal, directory, &row, &found, &err));
    ck_assert_int_eq(row.state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_eq(row.next_try_at, NOW);
    ck_assert_str_ne(row.last_error, "");
}
END_TEST

START_TEST(what_was_kept_long_enough_goes_and_the_rest_stays)
{
    make_recording("old", JOURNAL_FILE_SAFE, NOW - HOUR);
    make_recording("young", JOURNAL_FILE_SAFE, NOW - HOUR + 1);
    make_recording("unsafe", JOURNAL_FILE_UPLOADED, 0);
    sweep();
    ck_assert(!is_there("old"));
    ck_assert(is_there("young"));
    ck_assert(is_there("unsafe"));
    ck_assert_uint_eq(removed, 2); /* the file and its directory */
    ck_assert_uint_eq(failed, 0);
}
END_TEST

START_TEST(nothing_is_swept_when_copies_are_kept_for_ever)
{
    settings.keep_local_ms = SETTINGS_KEEP_FOREVER;
    make_recording("old", JOURNAL_FILE_SAFE, 1);
    sweep();
    ck_assert(is_there("old"));
}
END_TEST

START_TEST(a_recording_that_somebody_works_on_is_passed_over)
{
    struct session_dir *held;
    char directory[160];
    bool locked;

    make_recording("busy", JOURNAL_FILE_SAFE, 1);
    snprintf(directory, sizeof directory, "%s/busy", base);
    ck_assert(session_dir_open(directory, &held, &err));
    ck_assert(session_dir_try_lock(held, &locked, &err));
    ck_assert(locked);
    sweep();
    ck_assert(is_there("busy"));
    session_dir_close(held);
    sweep();
    ck_assert(!is_there("busy"));
}
END_TEST

START_TEST(a_file_that_was_written_to_since_stays_and_the_others_go)
{
    FILE *file;

    make_recording("changed", JOURNAL_FILE_SAFE, 1);
    make_recording("other", JOURNAL_FILE_SAFE, 1);
    file = fopen(file_of("changed"), "a");
    ck_assert_ptr_nonnull(file);
    fputs("more", file);
    fclose(file);
    sweep();
    ck_assert(is_there("changed"));
    ck_assert(!is_there("other"));
    ck_assert_uint_eq(failed, 1);
}
END_TEST

START_TEST(a_directory_that_is_gone_is_not_looked_for_again)
{
    struct journal_recording row;
    char directory[160];
    bool found;

    make_recording("gone", JOURNAL_FILE_SAFE, 1);
    snprintf(directory, sizeof directory, "%s/gone", base);
    ck_assert_int_eq(remove(file_of("gone")), 0);
    ck_assert_int_eq(rmdir(directory), 0);
    sweep();
    ck_assert_uint_eq(removed, 0);
    ck_assert(journal_next_kept_recording(journal, 0, NOW, &row, &found, &err));
    ck_assert(!found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("removal_sweep");
    TCase *tests = tcase_create("removal_sweep");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, one_whose_object_is_gone_is_due_again);
    tcase_add_test(tests, what_was_kept_long_enough_goes_and_the_rest_stays);
    tcase_add_test(tests, nothing_is_swept_when_copies_are_kept_for_ever);
    tcase_add_test(tests, a_recording_that_somebody_works_on_is_passed_over);
    tcase_add_test(tests, a_file_that_was_written_to_since_stays_and_the_others_go);
    tcase_add_test(tests, a_directory_that_is_gone_is_not_looked_for_again);
    return unit_run(suite);
}
