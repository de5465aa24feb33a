#include "finalize/command/target.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1800000000

static char base[64];
static struct journal *journal;
static struct report *report;
static struct targets targets;
static struct error err;
static char *said;
static size_t said_length;
static FILE *out;

static void make_base(void)
{
    char path[128];
    static const struct {
        const char *session, *file;
    } rows[] = {
        {"nzqxnaoiugxqlhbp", "12345_a.mp4"}, /* row 1 */
        {"nzqxother0000000", "12345_b.mp4"},
        {"abcd", "2_c.mp4"}, /* meeting 2 is row 2, too */
        {"abcdefgh", "777_d.mp4"},
    };

    strcpy(base, "/tmp/test_target_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/.jibri-finalize/journal.db", base);
    error_clear(&err);
    ck_assert(journal_open(path, &journal, &err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct journal_recording row;
        struct journal_file file;
        char directory[128];

        snprintf(directory, sizeof directory, "%s/%s", base, rows[i].session);
        ck_assert(journal_begin_recording(journal, directory, rows[i].session, NOW, &row, &err));
        memset(&file, 0, sizeof file);
        file.recording_id = row.id;
        strcpy(file.path, rows[i].file);
        file.media = true;
        file.state = JOURNAL_FILE_PENDING;
        ck_assert(journal_add_file(journal, &file, &err));
    }
    ck_assert(report_open(&(struct report_source){.journal = path}, &report, &err));
    out = open_memstream(&said, &said_length);
}

static void remove_base(void)
{
    fclose(out);
    free(said);
    targets_done(&targets);
    report_close(report);
    journal_close(journal);
    unit_remove(base);
}

static bool find(const char *name)
{
    char copy[256];
    char *names[] = {copy};
    bool ok;

    snprintf(copy, sizeof copy, "%s", name);
    targets_done(&targets);
    error_clear(&err);
    ok = targets_find(report, names, 1, NOW, out, &targets, &err);
    fflush(out);
    return ok;
}

START_TEST(a_recording_is_found_by_what_a_person_types)
{
    static const struct {
        const char *name;
        int64_t id;
    } cases[] = {
        {"nzqxnaoiugxqlhbp", 1},
        {"nzqxn", 1},
        {"1", 1},
        {"nzqxo", 2},
        {"abcd", 3}, /* whole before the beginning of another */
        {"abcde", 4},
        {"777", 4},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(find(cases[i].name), "%s: %s", cases[i].name, err.text);
        ck_assert_uint_eq(targets.count, 1);
        ck_assert_int_eq(targets.list[0].id, cases[i].id);
    }
}
END_TEST

START_TEST(what_is_ambiguous_is_listed_and_not_guessed)
{
    ck_assert(!find("12345"));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(said, "2 recordings match"));
    ck_assert_ptr_nonnull(strstr(said, "/nzqxnaoiugxqlhbp\n"));
    ck_assert_ptr_nonnull(strstr(said, "/nzqxother0000000\n"));
    ck_assert(!find("nzqx"));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert(!find("2")); /* a row and another one's meeting */
    ck_assert_int_eq(err.kind, ERROR_USAGE);
}
END_TEST

START_TEST(three_characters_are_too_few)
{
    ck_assert(!find("nzq"));
    ck_assert_int_eq(err.kind, ERROR_NO_INPUT);
}
END_TEST

START_TEST(a_directory_names_its_recording_though_it_is_gone)
{
    char directory[128];

    snprintf(directory, sizeof directory, "%s/nzqxnaoiugxqlhbp/", base);
    ck_assert_msg(find(directory), "%s", err.text);
    ck_assert_int_eq(targets.list[0].id, 1);
}
END_TEST

START_TEST(a_directory_that_the_journal_never_saw_is_one)
{
    char directory[128];

    snprintf(directory, sizeof directory, "%s/brought", base);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    ck_assert(find(directory));
    ck_assert_int_eq(targets.list[0].id, 0);
    ck_assert_str_eq(targets.list[0].directory, directory);
}
END_TEST

START_TEST(a_recording_that_is_named_twice_counts_once)
{
    char *names[] = {"nzqxn", "1", "777"};

    ck_assert(targets_find(report, names, 3, NOW, out, &targets, &err));
    ck_assert_uint_eq(targets.count, 2);
}
END_TEST

START_TEST(nothing_is_named_by_an_empty_name)
{
    ck_assert(!find(""));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("target");
    TCase *tests = tcase_create("target");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, a_recording_is_found_by_what_a_person_types);
    tcase_add_test(tests, what_is_ambiguous_is_listed_and_not_guessed);
    tcase_add_test(tests, three_characters_are_too_few);
    tcase_add_test(tests, a_directory_names_its_recording_though_it_is_gone);
    tcase_add_test(tests, a_directory_that_the_journal_never_saw_is_one);
    tcase_add_test(tests, a_recording_that_is_named_twice_counts_once);
    tcase_add_test(tests, nothing_is_named_by_an_empty_name);
    return unit_run(suite);
}
