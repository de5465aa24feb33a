#include "finalize/lifecycle/removal.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1700000000

static char base[64];
static char session[128];
static struct session_dir *recording;
static struct journal *journal;
static struct journal_recording row;
static struct settings settings;
static struct error err;
static char removed[1024]; /* "path;" for each */
static char remarks[1024]; /* likewise of those that stay */
static bool answers, stored;
static unsigned asked;

static void on_removed(void *context, const char *session_id, const char *path)
{
    size_t length = strlen(removed);

    (void)context;
    (void)session_id;
    snprintf(removed + length, sizeof removed - length, "%s;", path);
}

static bool is_stored(void *context, const struct journal_file *file, bool *ret_stored,
                      struct error *failure)
{
    (void)context;
    asked++;
    if (!answers)
        return error_set(failure, ERROR_TRANSIENT, "no answer about %s", file->path);
    *ret_stored = stored;
    return true;
}

static void on_failed(void *context, const char *session_id, const struct error *error)
{
    (void)context;
    ck_assert_str_eq(session_id, "session");
    snprintf(remarks + strlen(remarks), sizeof remarks - strlen(remarks), "%s;", error->text);
}

static void set_up(void)
{
    char made[] = "/tmp/test_removal_XXXXXX";
    bool locked;

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    ck_assert_msg(session_dir_open(session, &recording, &err), "%s", err.text);
    ck_assert(session_dir_try_lock(recording, &locked, &err));
    ck_assert(locked);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    settings.keep_local_ms = SETTINGS_KEEP_NOTHING;
    answers = stored = true;
    asked = 0;
}

static void tear_down(void)
{
    session_dir_close(recording);
    journal_close(journal);
    unit_remove(base);
}

static const char *in_session(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", session, name);
    return path;
}

static bool exists(const char *name)
{
    return access(in_session(name), F_OK) == 0;
}

/* A file on disk and its row. */
static void add(const char *name, bool media, enum journal_file_state state, int64_t safe_at)
{
    struct journal_file file = {
        .recording_id = row.id, .media = media, .state = state, .safe_at = safe_at};
    int fd;

    unit_write_text(in_session(name), name);
    ck_assert(session_dir_open_file(recording, name, &fd, &file.identity, &err));
    close(fd);
    snprintf(file.path, sizeof file.path, "%s", name);
    snprintf(file.mark, sizeof file.mark, "%032u", (unsigned)strlen(name));
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

static struct journal_file row_of(const char *path)
{
    struct journal_file file;
    bool found;

    ck_assert(journal_find_file(journal, row.id, path, &file, &found, &err));
    ck_assert(found);
    return file;
}

static bool try_run(int64_t now, bool *ret_directory_removed)
{
    struct removal removal = {.settings = &settings,
                              .journal = journal,
                              .run_began_at = NOW - 10,
                              .is_stored = is_stored,
                              .removed = on_removed,
                              .failed = on_failed};

    removed[0] = remarks[0] = 0;
    return removal_run(&removal, recording, row.id, now, ret_directory_removed, &err);
}

/* True when the directory went too. */
static bool run(int64_t now)
{
    bool directory_removed = false;

    ck_assert_msg(try_run(now, &directory_removed), "%s", err.text);
    ck_assert_int_eq(directory_removed, access(session, F_OK) != 0);
    return directory_removed;
}

START_TEST(when_all_is_safe_all_goes)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("metadata.json", false, JOURNAL_FILE_SAFE, NOW);
    ck_assert(run(NOW));
    ck_assert_str_eq(removed, "1_a.mp4;metadata.json;;");
    ck_assert_int_eq(row_of("1_a.mp4").removed_at, NOW);
    ck_assert_int_eq(row_of("1_a.mp4").state, JOURNAL_FILE_SAFE);
}
END_TEST

START_TEST(what_this_run_confirmed_is_not_asked_for_again_and_what_an_earlier_one_did_is)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW - 10);
    add("2_b.mp4", true, JOURNAL_FILE_SAFE, NOW - 11);
    ck_assert(run(NOW));
    ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(what_is_not_in_the_bucket_any_more_stays_and_is_to_be_sent_again)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW - 3600);
    add("metadata.json", false, JOURNAL_FILE_SAFE, NOW);
    stored = false;
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "");
    ck_assert_ptr_nonnull(strstr(remarks, "1_a.mp4 is not in the bucket any more"));
    ck_assert_int_eq(row_of("1_a.mp4").state, JOURNAL_FILE_PENDING);
    ck_assert(exists("1_a.mp4") && exists("metadata.json"));
}
END_TEST

START_TEST(without_an_answer_all_stays_and_the_server_is_asked_once)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW - 3600);
    add("2_b.mp4", true, JOURNAL_FILE_SAFE, NOW - 3600);
    answers = false;
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "");
    ck_assert_str_eq(remarks, "no answer about 1_a.mp4;");
    ck_assert_int_eq(row_of("1_a.mp4").state, JOURNAL_FILE_SAFE);
    answers = true;
    ck_assert(run(NOW));
    ck_assert_str_eq(removed, "1_a.mp4;2_b.mp4;;");
}
END_TEST

START_TEST(a_media_file_that_is_not_safe_stays_and_so_do_the_others)
{
    static const enum journal_file_state states[] = {JOURNAL_FILE_PENDING, JOURNAL_FILE_UPLOADED};

    add("1_a.mp4", true, states[_i], 0);
    add("metadata.json", false, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "");
    ck_assert(exists("1_a.mp4"));
    ck_assert(exists("metadata.json"));
}
END_TEST

START_TEST(of_two_media_files_the_safe_one_goes_and_the_others_wait)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("1_b.mp4", true, JOURNAL_FILE_UPLOADED, 0);
    add("notes.txt", false, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "1_a.mp4;");
    ck_assert(exists("1_b.mp4"));
    ck_assert(exists("notes.txt"));
}
END_TEST

START_TEST(a_file_that_is_not_safe_stays_and_with_it_the_directory)
{
    static const enum journal_file_state states[] = {JOURNAL_FILE_PENDING, JOURNAL_FILE_UPLOADED,
                                                     JOURNAL_FILE_WITHHELD};

    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("metadata.json", false, states[_i], 0);
    add("notes.txt", false, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "1_a.mp4;notes.txt;");
    ck_assert(exists("metadata.json"));
}
END_TEST

START_TEST(a_file_without_a_row_stays_and_with_it_the_directory)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    unit_write_text(in_session("stray.txt"), "new");
    ck_assert(!run(NOW));
    ck_assert(!exists("1_a.mp4"));
    ck_assert(exists("stray.txt"));
}
END_TEST

START_TEST(kept_for_ever_nothing_goes)
{
    settings.keep_local_ms = SETTINGS_KEEP_FOREVER;
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW - 1000000000);
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "");
    ck_assert(exists("1_a.mp4"));
}
END_TEST

START_TEST(kept_for_ever_an_empty_directory_stays_too)
{
    settings.keep_local_ms = SETTINGS_KEEP_FOREVER;
    ck_assert(!run(NOW));
}
END_TEST

START_TEST(kept_for_a_while_a_file_goes_when_the_while_is_over)
{
    settings.keep_local_ms = 3600 * 1000;
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW));
    ck_assert(!run(NOW + 3599));
    ck_assert(exists("1_a.mp4"));
    ck_assert(run(NOW + 3600));
    ck_assert_str_eq(removed, "1_a.mp4;;");
}
END_TEST

START_TEST(a_clock_that_was_set_back_removes_nothing_early)
{
    settings.keep_local_ms = 3600 * 1000;
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW - 1));
    ck_assert(!run(NOW - 100000));
    ck_assert(exists("1_a.mp4"));
}
END_TEST

START_TEST(a_file_that_changed_stays_and_the_others_go)
{
    bool directory_removed = false;

    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("1_b.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("notes.txt", false, JOURNAL_FILE_SAFE, NOW);
    unit_write_text(in_session("1_a.mp4"), "something else was written");
    ck_assert(!try_run(NOW, &directory_removed));
    ck_assert_int_eq(err.kind, ERROR_CHANGED);
    ck_assert(!directory_removed);
    ck_assert(exists("1_a.mp4"));
    ck_assert(!exists("1_b.mp4"));
    ck_assert_int_eq(row_of("1_a.mp4").removed_at, 0);
    ck_assert_int_eq(row_of("1_b.mp4").removed_at, NOW);
}
END_TEST

START_TEST(a_link_to_where_a_file_was_moved_stays_and_nothing_is_left_to_do)
{
    bool directory_removed = false;

    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    ck_assert_int_eq(unlink(in_session("1_a.mp4")), 0);
    ck_assert_int_eq(symlink("/somewhere/1_a.mp4", in_session("1_a.mp4")), 0);
    ck_assert(try_run(NOW, &directory_removed));
    ck_assert(!directory_removed);
    ck_assert_int_eq(unlink(in_session("1_a.mp4")), 0); /* it was still there */
    ck_assert_int_eq(row_of("1_a.mp4").removed_at, NOW);
}
END_TEST

START_TEST(a_file_that_was_removed_already_is_not_removed_again)
{
    struct journal_file file;

    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    file = row_of("1_a.mp4");
    file.removed_at = NOW;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert(!run(NOW + 10)); /* another program put a file of that name there: it stays */
    ck_assert_str_eq(removed, "");
    ck_assert(exists("1_a.mp4"));
    ck_assert_int_eq(row_of("1_a.mp4").removed_at, NOW);
}
END_TEST

START_TEST(a_file_that_is_gone_already_counts_as_removed)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    ck_assert_int_eq(unlink(in_session("1_a.mp4")), 0);
    ck_assert(run(NOW));
    ck_assert_int_eq(row_of("1_a.mp4").removed_at, NOW);
}
END_TEST

START_TEST(what_belongs_to_a_media_file_that_is_lost_stays)
{
    add("1_a.mp4", true, JOURNAL_FILE_GONE, 0);
    ck_assert_int_eq(unlink(in_session("1_a.mp4")), 0);
    add("1_b.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("metadata.json", false, JOURNAL_FILE_SAFE, NOW);
    ck_assert(!run(NOW));
    ck_assert_str_eq(removed, "1_b.mp4;");
    ck_assert(exists("metadata.json"));
}
END_TEST

START_TEST(another_file_noted_as_gone_holds_nothing_up)
{
    add("1_a.mp4", true, JOURNAL_FILE_SAFE, NOW);
    add("metadata.json", false, JOURNAL_FILE_GONE, 0);
    ck_assert_int_eq(unlink(in_session("metadata.json")), 0);
    ck_assert(run(NOW));
    ck_assert_str_eq(removed, "1_a.mp4;;");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("removal");
    TCase *cases = tcase_create("removal");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, when_all_is_safe_all_goes);
    tcase_add_test(cases,
                   what_this_run_confirmed_is_not_asked_for_again_and_what_an_earlier_one_did_is);
    tcase_add_test(cases, what_is_not_in_the_bucket_any_more_stays_and_is_to_be_sent_again);
    tcase_add_test(cases, without_an_answer_all_stays_and_the_server_is_asked_once);
    tcase_add_loop_test(cases, a_media_file_that_is_not_safe_stays_and_so_do_the_others, 0, 2);
    tcase_add_test(cases, of_two_media_files_the_safe_one_goes_and_the_others_wait);
    tcase_add_loop_test(cases, a_file_that_is_not_safe_stays_and_with_it_the_directory, 0, 3);
    tcase_add_test(cases, a_file_without_a_row_stays_and_with_it_the_directory);
    tcase_add_test(cases, kept_for_ever_nothing_goes);
    tcase_add_test(cases, kept_for_ever_an_empty_directory_stays_too);
    tcase_add_test(cases, kept_for_a_while_a_file_goes_when_the_while_is_over);
    tcase_add_test(cases, a_clock_that_was_set_back_removes_nothing_early);
    tcase_add_test(cases, a_file_that_changed_stays_and_the_others_go);
    tcase_add_test(cases, a_link_to_where_a_file_was_moved_stays_and_nothing_is_left_to_do);
    tcase_add_test(cases, a_file_that_was_removed_already_is_not_removed_again);
    tcase_add_test(cases, a_file_that_is_gone_already_counts_as_removed);
    tcase_add_test(cases, what_belongs_to_a_media_file_that_is_lost_stays);
    tcase_add_test(cases, another_file_noted_as_gone_holds_nothing_up);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
