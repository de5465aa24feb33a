#include "finalize/journal/journal.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/s3/part.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static char base[64]; /* a directory of each test's own */
static char path[128];
static struct journal *journal;
static struct error err;

static void make_base(void)
{
    strcpy(base, "/tmp/test_journal_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/.jibri-finalize/journal.db", base);
    journal = NULL;
    error_clear(&err);
}

static void remove_base(void)
{
    journal_close(journal);
    unit_remove(base);
}

static void open_journal(void)
{
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
}

static void reopen_journal(void)
{
    journal_close(journal);
    journal = NULL;
    open_journal();
}

/* What the text of a row or a pragma is, read by SQLite itself: an operator's view. */
static const char *ask(const char *sql)
{
    static char answer[8192];
    sqlite3 *database;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(database));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return answer;
}

static int execute(const char *sql)
{
    sqlite3 *database;
    int status;

    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_exec(database, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    status = sqlite3_exec(database, sql, NULL, NULL, NULL);
    sqlite3_close(database);
    return status;
}

static struct journal_recording begin_recording(const char *directory)
{
    struct journal_recording recording;

    ck_assert_msg(journal_begin_recording(journal, directory, "session", 1000, &recording, &err),
                  "%s", err.text);
    return recording;
}

static struct journal_file add_file(int64_t recording_id, const char *name, bool media)
{
    struct journal_file file;

    memset(&file, 0, sizeof file);
    file.recording_id = recording_id;
    snprintf(file.path, sizeof file.path, "%s", name);
    file.media = media;
    file.state = JOURNAL_FILE_PENDING;
    strcpy(file.mark, "0123456789abcdef0123456789abcdef");
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    return file;
}

static struct journal_part make_part(unsigned number, bool has_fingerprint)
{
    struct journal_part part;

    memset(&part, 0, sizeof part);
    part.number = number;
    part.length = 8 << 20;
    part.has_fingerprint = has_fingerprint;
    if (has_fingerprint)
        memset(part.fingerprint, (int)number, sizeof part.fingerprint);
    snprintf(part.etag, sizeof part.etag, "etag-%u", number);
    return part;
}

static void save_part(int64_t file_id, unsigned number)
{
    struct journal_part part = make_part(number, true);

    ck_assert_msg(journal_save_part(journal, file_id, &part, &err), "%s", err.text);
}

static void expect_failure(bool worked, enum error_kind kind, const char *word)
{
    ck_assert(!worked);
    ck_assert_msg(err.kind == kind, "kind %d: %s", (int)err.kind, err.text);
    ck_assert_msg(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
}

static mode_t mode_of(const char *name)
{
    struct stat status;

    ck_assert_msg(lstat(name, &status) == 0, "%s: %s", name, strerror(errno));
    return status.st_mode & 07777;
}

/* --- opening --- */

START_TEST(the_journal_and_its_directory_are_made_for_their_owner_only)
{
    char side_file[160];

    umask(0);
    open_journal();
    begin_recording("/r/1");
    ck_assert_uint_eq(mode_of(path), 0600);
    snprintf(side_file, sizeof side_file, "%s-wal", path);
    ck_assert_uint_eq(mode_of(side_file), 0600);
    snprintf(side_file, sizeof side_file, "%s-shm", path);
    ck_assert_uint_eq(mode_of(side_file), 0600);
    *strrchr(side_file, '/') = 0;
    ck_assert_uint_eq(mode_of(side_file), 0700);
}
END_TEST

START_TEST(it_is_a_wal_file_with_our_mark_and_version)
{
    open_journal();
    ck_assert_str_eq(ask("PRAGMA journal_mode"), "wal");
    ck_assert_str_eq(ask("PRAGMA application_id"), "1246120497");
    ck_assert_str_eq(ask("PRAGMA user_version"), "13");
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
}
END_TEST

START_TEST(its_tables_explain_themselves_to_an_operator)
{
    const char *schema;

    open_journal();
    schema = ask("SELECT group_concat(sql) FROM sqlite_master");
    ck_assert_ptr_nonnull(strstr(schema, "-- 1 pending; 2 uploaded:"));
    ck_assert_ptr_nonnull(strstr(schema, "-- 1 working:"));
}
END_TEST

START_TEST(only_the_last_missing_directory_is_made)
{
    snprintf(path, sizeof path, "%s/a/b/journal.db", base);
    expect_failure(journal_open(path, &journal, &err), ERROR_PERMANENT, "CONFOMEET_JOURNAL");
    ck_assert_int_eq(err.sys_errno, ENOENT);
}
END_TEST

START_TEST(a_path_without_a_directory_is_in_the_working_directory)
{
    ck_assert_int_eq(chdir(base), 0);
    ck_assert_msg(journal_open("journal.db", &journal, &err), "%s", err.text);
    ck_assert_int_eq(access("journal.db", F_OK), 0);
}
END_TEST

START_TEST(a_path_that_can_be_no_file_is_refused)
{
    static const char *const wrong[] = {
        "", "/", "/tmp/", "/tmp/.", "/tmp/..", "/dev/null/journal", "/dev/null"};
    struct journal *opened = (struct journal *)&err;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error_clear(&err);
        expect_failure(journal_open(wrong[i], &opened, &err), ERROR_PERMANENT, "CONFOMEET_JOURNAL");
        ck_assert_ptr_eq(opened, (struct journal *)&err);
    }
}
END_TEST

START_TEST(links_on_the_way_are_followed_but_the_file_may_not_be_one)
{
    char link[128];

    open_journal();
    snprintf(link, sizeof link, "%s/link", base);
    ck_assert_int_eq(symlink(".jibri-finalize", link), 0);
    snprintf(path, sizeof path, "%s/link/journal.db", base);
    reopen_journal();
    ck_assert_int_eq(symlink("journal.db", strcat(link, "/link.db")), 0);
    journal_close(journal);
    journal = NULL;
    expect_failure(journal_open(link, &journal, &err), ERROR_PERMANENT, "no regular file");
}
END_TEST

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "%s/other", base);
    unit_write_text(path, text);
}

START_TEST(a_file_that_is_no_database_is_left_alone)
{
    write_file("Dear diary, this is no database, and it is longer than a header of one would be: "
               "a hundred bytes at the very least.\n");
    expect_failure(journal_open(path, &journal, &err), ERROR_DAMAGED, "no journal");
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_null(journal);
}
END_TEST

START_TEST(another_program_s_database_is_left_alone)
{
    write_file("");
    ck_assert_int_eq(execute("CREATE TABLE theirs (a)"), SQLITE_OK);
    expect_failure(journal_open(path, &journal, &err), ERROR_PERMANENT, "no journal of ours");
    ck_assert_str_eq(ask("PRAGMA journal_mode"), "delete");
    ck_assert_str_eq(ask("SELECT count(*) FROM sqlite_master"), "1");
}
END_TEST

START_TEST(a_journal_of_a_newer_version_is_left_alone)
{
    open_journal();
    journal_close(journal);
    journal = NULL;
    ck_assert_int_eq(execute("PRAGMA user_version = 14"), SQLITE_OK);
    expect_failure(journal_open(path, &journal, &err), ERROR_PERMANENT, "newer");
}
END_TEST

/* All tables and indexes, in the order of their names. */
#define SCHEMA "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master ORDER BY name)"

static void load_journal_of_version(int version)
{
    static char sql[32768];
    char name[256];
    FILE *file;

    write_file("");
    snprintf(name, sizeof name, "%s/journal-%d.sql", TEST_DATA_DIR, version);
    file = fopen(name, "r");
    ck_assert_msg(file != NULL, "%s: %s", name, strerror(errno));
    sql[fread(sql, 1, sizeof sql - 1, file)] = 0;
    fclose(file);
    ck_assert_int_eq(execute(sql), SQLITE_OK);
}

START_TEST(a_journal_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it)
{
    struct journal_recording recording;
    struct journal_file file;
    struct journal_part part;
    char schema[16384];
    bool found;

    open_journal();
    snprintf(schema, sizeof schema, "%s", ask(SCHEMA));
    journal_close(journal);
    journal = NULL;
    load_journal_of_version(_i);

    open_journal();
    ck_assert_str_eq(ask("PRAGMA user_version"), "13");
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
    ck_assert_str_eq(ask("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    for (char *quote = strchr(schema, '"'); quote; quote = strchr(quote, '"'))
        memmove(quote, quote + 1, strlen(quote)); /* SQLite quotes what was renamed */
    ck_assert_str_eq(ask(SCHEMA), schema);
    ck_assert(
        journal_find_recording(journal, "/config/recordings/session", &recording, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(recording.last_error, "S3 was not reached");
    ck_assert_uint_eq(recording.failures, _i < 2 ? 0 : 3);
    ck_assert_int_eq(recording.meeting_id, 0);
    ck_assert(journal_find_file(journal, recording.id, "12345_2024-04-23-15-04-05.mp4", &file,
                                &found, &err));
    ck_assert(found);
    ck_assert(file.part_plan.grows_early);
    ck_assert(journal_find_part(journal, file.id, 2, &part, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(part.etag, "etag-2");
    ck_assert(part.acknowledged_at == (_i < 2 ? 0 : 1795504480));
    ck_assert_str_eq(ask("SELECT count(*) > 0 FROM event"), "1");
    if (_i >= 4) {
        ck_assert_str_eq(ask("SELECT value FROM metric"), "7");
        ck_assert_str_eq(ask("SELECT body FROM webhook"), "{\"version\":1}");
        ck_assert_str_eq(ask("SELECT event FROM announcement"), "2");
    }
    if (_i == 5)
        ck_assert_str_eq(ask("SELECT location || upload_id FROM leftover"), "lost-upload");
    ck_assert_int_ne(execute("INSERT INTO part VALUES (77, 1, 1, NULL, '', 0)"), SQLITE_OK);
}
END_TEST

START_TEST(uploads_that_version_4_left_in_files_rows_are_leftovers)
{
    struct journal_leftover leftover;
    bool found;

    load_journal_of_version(4);
    ck_assert_int_eq(execute("UPDATE recording SET state = 6"), SQLITE_OK);
    open_journal();
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(leftover.upload_id, "upload");
    ck_assert_str_eq(leftover.key, "12345_2024-04-23-15-04-05.mp4");
    ck_assert_str_eq(ask("SELECT upload_id || phase FROM file"), "0");
    ck_assert(journal_forget_leftover(journal, leftover.id, &err));
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ck_assert(!found);
}
END_TEST

START_TEST(one_without_an_id_is_not_searched_while_a_file_has_its_key)
{
    struct journal_leftover leftover;
    bool found;

    load_journal_of_version(4);
    open_journal();
    ck_assert(journal_add_leftover(journal, "", "12345_2024-04-23-15-04-05.mp4", "", 5, &err));
    ck_assert(journal_add_leftover(journal, "", "other", "", 5, &err));
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(leftover.key, "other");
    ck_assert_int_eq(execute("UPDATE file SET state = 3"), SQLITE_OK);
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ck_assert_str_eq(leftover.key, "12345_2024-04-23-15-04-05.mp4");
}
END_TEST

START_TEST(a_journal_whose_content_was_overwritten_is_damaged)
{
    char rubbish[4096];
    int fd;

    open_journal();
    begin_recording("/r/1");
    journal_close(journal);
    journal = NULL;
    memset(rubbish, 0x5a, sizeof rubbish);
    fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    for (off_t page = 1; page < 12; page++)
        ck_assert_int_eq((int)pwrite(fd, rubbish, sizeof rubbish, page * 4096), 4096);
    close(fd);
    expect_failure(journal_open(path, &journal, &err), ERROR_DAMAGED, "damaged");
}
END_TEST

START_TEST(a_journal_that_may_not_be_written_is_permanent)
{
    char directory[128];
    struct journal *opened = NULL;

    open_journal();
    journal_close(journal);
    journal = NULL;
    ck_assert_int_eq(chmod(base, 0755), 0);
    snprintf(directory, sizeof directory, "%s/.jibri-finalize", base);
    ck_assert_int_eq(chmod(directory, 0555), 0);
    ck_assert_int_eq(chmod(path, 0444), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0);
    expect_failure(journal_open(path, &opened, &err), ERROR_PERMANENT, "CONFOMEET_JOURNAL");
    ck_assert_ptr_nonnull(strstr(err.text, path));
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(directory, 0700), 0);
}
END_TEST

/* --- rows --- */

START_TEST(a_recording_is_found_as_it_was_saved)
{
    struct journal_recording recording, found;
    bool is_found = true;

    open_journal();
    ck_assert(journal_find_recording(journal, "/r/\xff\n1", &found, &is_found, &err));
    ck_assert(!is_found);
    recording = begin_recording("/r/\xff\n1");
    ck_assert_int_eq(recording.state, JOURNAL_RECORDING_WORKING);
    ck_assert_uint_eq(recording.tries, 1);
    ck_assert_int_eq(recording.share, -1);
    ck_assert_int_eq(recording.created_at, 1000);
    recording.state = JOURNAL_RECORDING_WAITING;
    recording.tries = 7;
    recording.next_try_at = 5000;
    strcpy(recording.last_error, "the network is down");
    memset(recording.meeting_url, 'u', sizeof recording.meeting_url - 1);
    recording.meeting_url[sizeof recording.meeting_url - 1] = 0;
    recording.share = 1;
    ck_assert(journal_save_recording(journal, &recording, 2000, &err));
    reopen_journal();
    ck_assert(journal_find_recording(journal, "/r/\xff\n1", &found, &is_found, &err));
    ck_assert(is_found);
    ck_assert_int_eq(found.id, recording.id);
    ck_assert_str_eq(found.directory, "/r/\xff\n1");
    ck_assert_str_eq(found.session_id, "session");
    ck_assert_int_eq(found.state, JOURNAL_RECORDING_WAITING);
    ck_assert_uint_eq(found.tries, 7);
    ck_assert_int_eq(found.created_at, 1000);
    ck_assert_int_eq(found.updated_at, 2000);
    ck_assert_int_eq(found.next_try_at, 5000);
    ck_assert_str_eq(found.last_error, recording.last_error);
    ck_assert_str_eq(found.meeting_url, recording.meeting_url);
    ck_assert_int_eq(found.share, 1);
}
END_TEST

START_TEST(a_recording_begun_again_is_the_same_row_with_one_more_try)
{
    struct journal_recording first, again;

    open_journal();
    first = begin_recording("/r/1");
    first.state = JOURNAL_RECORDING_FAILED;
    strcpy(first.last_error, "no such bucket");
    ck_assert(journal_save_recording(journal, &first, 1500, &err));
    ck_assert(journal_begin_recording(journal, "/r/1", "session", 2000, &again, &err));
    ck_assert_int_eq(again.id, first.id);
    ck_assert_uint_eq(again.tries, 2);
    ck_assert_int_eq(again.state, JOURNAL_RECORDING_WORKING);
    ck_assert_int_eq(again.created_at, 1000);
    ck_assert_int_eq(again.updated_at, 2000);
    ck_assert_str_eq(again.last_error, "no such bucket");
    ck_assert_int_ne(begin_recording("/r/2").id, first.id);
}
END_TEST

static void fill_text(char *text, size_t size, char letter)
{
    memset(text, letter, size - 1);
    text[size - 1] = 0;
}

START_TEST(a_file_is_found_as_it_was_saved_with_every_field_at_its_limit)
{
    struct journal_file file, found;
    bool is_found = false;

    open_journal();
    memset(&file, 0, sizeof file);
    file.recording_id = begin_recording("/r/1").id;
    fill_text(file.path, sizeof file.path, '\xfe');
    file.media = true;
    file.state = JOURNAL_FILE_PENDING;
    fill_text(file.mark, sizeof file.mark, 'a');
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    ck_assert_int_gt(file.id, 0);

    file.incomplete = true;
    file.identity = (struct file_identity){UINT64_MAX - 1, INT64_MAX, -5};
    file.object_bytes = INT64_MAX;
    file.state = JOURNAL_FILE_WITHHELD;
    fill_text(file.mark, sizeof file.mark, 'b');
    fill_text(file.key, sizeof file.key, 'k');
    file.key_suffix = UINT32_MAX;
    file.phase = JOURNAL_PHASE_ABORTING;
    file.phase_at = 11;
    fill_text(file.upload_id, sizeof file.upload_id, 'i');
    file.part_plan = (struct part_plan){S3_MAX_PART_BYTES, true};
    fill_text(file.etag, sizeof file.etag, 'e');
    file.uploaded_at = 12;
    file.notice = JOURNAL_NOTICE_REFUSED;
    file.backend_row = INT64_MAX;
    file.safe_at = 13;
    file.removed_at = 14;
    fill_text(file.last_error, sizeof file.last_error, '\xff');
    ck_assert_msg(journal_save_file(journal, &file, &err), "%s", err.text);
    reopen_journal();
    memset(&found, 0, sizeof found);
    ck_assert_msg(journal_find_file(journal, file.recording_id, file.path, &found, &is_found, &err),
                  "%s", err.text);
    ck_assert(is_found);
    ck_assert_int_eq(found.id, file.id);
    ck_assert_int_eq(found.recording_id, file.recording_id);
    ck_assert_str_eq(found.path, file.path);
    ck_assert(found.media && found.incomplete);
    ck_assert(found.identity.inode == UINT64_MAX - 1);
    ck_assert(found.identity.size_bytes == INT64_MAX && found.identity.mtime_ns == -5);
    ck_assert(found.object_bytes == INT64_MAX);
    ck_assert_int_eq(found.state, JOURNAL_FILE_WITHHELD);
    ck_assert_str_eq(found.mark, file.mark);
    ck_assert_str_eq(found.key, file.key);
    ck_assert_uint_eq(found.key_suffix, UINT32_MAX);
    ck_assert_int_eq(found.phase, JOURNAL_PHASE_ABORTING);
    ck_assert_int_eq(found.phase_at, 11);
    ck_assert_str_eq(found.upload_id, file.upload_id);
    ck_assert(found.part_plan.base_bytes == S3_MAX_PART_BYTES && found.part_plan.grows_early);
    ck_assert_str_eq(found.etag, file.etag);
    ck_assert_int_eq(found.uploaded_at, 12);
    ck_assert_int_eq(found.notice, JOURNAL_NOTICE_REFUSED);
    ck_assert(found.backend_row == INT64_MAX);
    ck_assert_int_eq(found.safe_at, 13);
    ck_assert_int_eq(found.removed_at, 14);
    ck_assert_str_eq(found.last_error, file.last_error);
}
END_TEST

/* The disk is swept with a copy of the row and no lock, while another process finds the file there
 * again. */
START_TEST(a_file_that_is_sent_again_meanwhile_is_not_said_to_be_removed)
{
    struct journal_file stale, file;
    struct journal *other = NULL;
    bool found;

    open_journal();
    file = add_file(begin_recording("/r/a").id, "a.mp4", true);
    file.state = JOURNAL_FILE_SAFE;
    strcpy(file.mark, "first");
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert(journal_open(path, &other, &err));
    ck_assert(journal_find_file(other, file.recording_id, "a.mp4", &stale, &found, &err) && found);
    stale.removed_at = 14;
    strcpy(file.mark, "second");
    for (int safe = 0; safe < 2; safe++) {
        file.state = safe ? JOURNAL_FILE_SAFE : JOURNAL_FILE_PENDING;
        ck_assert(journal_save_file(journal, &file, &err));
        ck_assert(journal_note_removed(other, &stale, &err));
        ck_assert(journal_find_file(journal, file.recording_id, "a.mp4", &file, &found, &err));
        ck_assert_int_eq(file.removed_at, 0);
    }
    strcpy(stale.mark, "second");
    ck_assert(journal_note_removed(other, &stale, &err));
    ck_assert(journal_find_file(journal, file.recording_id, "a.mp4", &file, &found, &err));
    ck_assert_int_eq(file.removed_at, 14);
    journal_close(other);
}
END_TEST

START_TEST(a_path_is_added_to_a_recording_once)
{
    struct journal_file file;

    open_journal();
    file = add_file(begin_recording("/r/1").id, "a.mp4", true);
    add_file(begin_recording("/r/2").id, "a.mp4", true);
    file.id = -7;
    expect_failure(journal_add_file(journal, &file, &err), ERROR_PERMANENT, "file.path");
    ck_assert_int_eq(file.id, -7);
}
END_TEST

START_TEST(a_row_that_is_not_there_cannot_be_saved)
{
    struct journal_recording recording;
    struct journal_file file;

    open_journal();
    recording = begin_recording("/r/1");
    file = add_file(recording.id, "a.mp4", true);
    file.id += 1;
    expect_failure(journal_save_file(journal, &file, &err), ERROR_PERMANENT, "lost a row");
    error_clear(&err);
    recording.id += 1;
    expect_failure(journal_save_recording(journal, &recording, 1, &err), ERROR_PERMANENT,
                   "lost a row");
}
END_TEST

START_TEST(a_state_that_does_not_exist_is_not_stored)
{
    struct journal_file file;

    open_journal();
    file = add_file(begin_recording("/r/1").id, "a.mp4", true);
    file.state = (enum journal_file_state)9;
    expect_failure(journal_save_file(journal, &file, &err), ERROR_PERMANENT, "CHECK");
}
END_TEST

START_TEST(a_key_belongs_to_one_file_whatever_its_state)
{
    struct journal_file first, second, found;
    bool taken = true, is_found;

    open_journal();
    first = add_file(begin_recording("/r/1").id, "a.mp4", true);
    second = add_file(begin_recording("/r/2").id, "a.mp4", true);
    strcpy(first.key, "a.mp4");
    first.state = JOURNAL_FILE_SAFE;
    ck_assert(journal_save_key(journal, &first, &taken, &err));
    ck_assert(!taken);
    strcpy(second.key, "a.mp4");
    second.phase = JOURNAL_PHASE_PUTTING;
    ck_assert(journal_save_key(journal, &second, &taken, &err));
    ck_assert(taken);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert(journal_find_file(journal, second.recording_id, "a.mp4", &found, &is_found, &err));
    ck_assert_str_eq(found.key, "");
    ck_assert_int_eq(found.phase, JOURNAL_PHASE_NONE);
    strcpy(second.key, "a~2.mp4");
    ck_assert(journal_save_key(journal, &second, &taken, &err));
    ck_assert(!taken);
    ck_assert(journal_save_key(journal, &second, &taken, &err));
    ck_assert(!taken);
}
END_TEST

START_TEST(a_taken_key_leaves_the_group_of_writes_alive)
{
    struct journal_file first, second;
    bool taken = false;

    open_journal();
    first = add_file(begin_recording("/r/1").id, "a.mp4", true);
    second = add_file(first.recording_id, "b.mp4", true);
    strcpy(first.key, "a.mp4");
    ck_assert(journal_save_file(journal, &first, &err));
    ck_assert(journal_begin(journal, &err));
    strcpy(second.key, "a.mp4");
    ck_assert(journal_save_key(journal, &second, &taken, &err));
    ck_assert(taken);
    strcpy(second.key, "a~2.mp4");
    ck_assert(journal_save_key(journal, &second, &taken, &err));
    ck_assert(journal_commit(journal, &err));
    reopen_journal();
    ck_assert_str_eq(ask("SELECT key FROM file WHERE path = CAST('b.mp4' AS BLOB)"), "a~2.mp4");
}
END_TEST

START_TEST(files_come_in_the_order_of_ids_media_apart_from_the_rest)
{
    static const char *const names[] = {"z.mp4", "metadata.json", "a.mp4", "b/log"};
    struct journal_recording recording;
    struct journal_file file;
    char seen[64] = "";
    bool found;

    open_journal();
    recording = begin_recording("/r/1");
    for (size_t i = 0; i < 4; i++)
        add_file(recording.id, names[i], strstr(names[i], ".mp4") != NULL);
    add_file(begin_recording("/r/2").id, "other.mp4", true);
    for (int media = 1; media >= 0; media--) {
        file.id = 0;
        while (journal_next_file(journal, recording.id, media, file.id, &file, &found, &err) &&
               found)
            strcat(strcat(seen, file.path), " ");
    }
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert_str_eq(seen, "z.mp4 a.mp4 metadata.json b/log ");
}
END_TEST

START_TEST(parts_are_saved_replaced_walked_and_forgotten)
{
    struct journal_part part, found;
    unsigned numbers = 0, number = 0;
    bool is_found;
    int64_t file_id;

    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    save_part(file_id, 10000);
    save_part(file_id, 2);
    save_part(file_id, 1);
    part = make_part(2, false);
    strcpy(part.etag, "sent again");
    ck_assert(journal_save_part(journal, file_id, &part, &err));
    while (journal_next_part(journal, file_id, number, &found, &is_found, &err) && is_found) {
        ck_assert_uint_gt(found.number, number);
        number = found.number;
        numbers++;
    }
    ck_assert_uint_eq(numbers, 3);
    ck_assert(journal_find_part(journal, file_id, 10000, &found, &is_found, &err));
    ck_assert(is_found && found.has_fingerprint);
    part = make_part(10000, true);
    ck_assert_mem_eq(found.fingerprint, part.fingerprint, sizeof part.fingerprint);
    ck_assert_str_eq(found.etag, "etag-10000");
    ck_assert(found.length == 8 << 20);
    ck_assert(journal_find_part(journal, file_id, 2, &found, &is_found, &err));
    ck_assert(is_found && !found.has_fingerprint);
    ck_assert_str_eq(found.etag, "sent again");
    ck_assert(journal_forget_part(journal, file_id, 2, &err));
    ck_assert(journal_find_part(journal, file_id, 2, &found, &is_found, &err));
    ck_assert(!is_found);
    ck_assert_str_eq(found.etag, "sent again");
    ck_assert(journal_forget_parts(journal, file_id, &err));
    ck_assert(journal_next_part(journal, file_id, 0, &found, &is_found, &err));
    ck_assert(!is_found);
}
END_TEST

START_TEST(a_part_number_out_of_range_is_not_stored)
{
    struct journal_part part = make_part(S3_MAX_PARTS + 1, true);
    int64_t file_id;

    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    expect_failure(journal_save_part(journal, file_id, &part, &err), ERROR_PERMANENT, "CHECK");
    error_clear(&err);
    part.number = 1;
    expect_failure(journal_save_part(journal, file_id + 1, &part, &err), ERROR_PERMANENT,
                   "FOREIGN KEY");
}
END_TEST

START_TEST(events_tell_the_history)
{
    struct journal_recording recording;
    struct journal_file file;

    open_journal();
    recording = begin_recording("/r/1");
    file = add_file(recording.id, "a.mp4", true);
    ck_assert(journal_add_history(journal, recording.id, 0, 5, "begun", &err));
    ck_assert(journal_add_history(journal, recording.id, file.id, 6, "uploaded", &err));
    ck_assert_str_eq(ask("SELECT group_concat(at || text || coalesce(file_id, '-')) FROM event"),
                     "5begun-,6uploaded1");
}
END_TEST

START_TEST(a_recording_takes_its_rows_with_it)
{
    struct journal_recording recording;
    struct journal_file file;

    open_journal();
    recording = begin_recording("/r/1");
    file = add_file(recording.id, "a.mp4", true);
    save_part(file.id, 1);
    ck_assert(journal_add_history(journal, recording.id, file.id, 5, "begun", &err));
    ck_assert_int_eq(execute("DELETE FROM recording"), SQLITE_OK);
    ck_assert_str_eq(ask("SELECT (SELECT count(*) FROM file) + (SELECT count(*) FROM part) + "
                         "(SELECT count(*) FROM event)"),
                     "0");
}
END_TEST

/* --- damage --- */

START_TEST(a_row_beyond_our_limits_is_damage_and_nothing_is_handed_out)
{
    static const char *const damage[] = {
        "UPDATE file SET last_error = printf('%.*c', 640, 'x')",
        "UPDATE file SET mark = CAST(x'410042' AS TEXT)",
        "UPDATE file SET etag = printf('%.*c', 1000000, 'x')",
        "PRAGMA ignore_check_constraints = ON; UPDATE file SET state = 6",
        "PRAGMA ignore_check_constraints = ON; UPDATE file SET size_bytes = -1",
        "PRAGMA ignore_check_constraints = ON; UPDATE file SET phase = 'much later'",
    };
    struct journal_file file, found;
    bool is_found = false;

    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        open_journal();
        file = add_file(begin_recording("/r/1").id, "a.mp4", true);
        ck_assert_int_eq(execute(damage[i]), SQLITE_OK);
        strcpy(found.path, "untouched");
        expect_failure(
            journal_find_file(journal, file.recording_id, "a.mp4", &found, &is_found, &err),
            ERROR_DAMAGED, "damaged");
        ck_assert_str_eq(found.path, "untouched");
        ck_assert(!is_found);
        ck_assert_int_eq(execute("DELETE FROM recording"), SQLITE_OK);
        error_clear(&err);
        journal_close(journal);
        journal = NULL;
    }
}
END_TEST

START_TEST(a_fingerprint_of_another_length_is_damage)
{
    struct journal_part part;
    bool found = false;
    int64_t file_id;

    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    save_part(file_id, 1);
    ck_assert_int_eq(
        execute("PRAGMA ignore_check_constraints = ON; UPDATE part SET fingerprint = x'00'"),
        SQLITE_OK);
    expect_failure(journal_find_part(journal, file_id, 1, &part, &found, &err), ERROR_DAMAGED,
                   "damaged");
}
END_TEST

/* --- groups of writes, several processes, kills, full disks --- */

START_TEST(a_group_is_written_as_a_whole_or_not_at_all)
{
    int64_t file_id;

    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    ck_assert(journal_begin(journal, &err));
    save_part(file_id, 1);
    journal_rollback(journal);
    ck_assert_str_eq(ask("SELECT count(*) FROM part"), "0");
    journal_rollback(journal);
    ck_assert(journal_begin(journal, &err));
    save_part(file_id, 1);
    save_part(file_id, 2);
    ck_assert_str_eq(ask("SELECT count(*) FROM part"), "0");
    ck_assert(journal_commit(journal, &err));
    ck_assert_str_eq(ask("SELECT count(*) FROM part"), "2");
}
END_TEST

START_TEST(a_group_keeps_other_writers_out_from_its_beginning)
{
    struct journal_recording found;
    bool is_found;

    open_journal();
    begin_recording("/r/1");
    ck_assert(journal_begin(journal, &err));
    ck_assert(journal_find_recording(journal, "/r/1", &found, &is_found, &err));
    ck_assert_int_eq(execute("UPDATE recording SET tries = 5"), SQLITE_BUSY);
    begin_recording("/r/1");
    ck_assert(journal_commit(journal, &err));
    ck_assert_int_eq(execute("UPDATE recording SET tries = 5"), SQLITE_OK);
}
END_TEST

START_TEST(two_connections_of_one_process_see_each_other_s_rows)
{
    struct journal *other = NULL;
    struct journal_recording found;
    bool is_found = false;

    open_journal();
    ck_assert_msg(journal_open(path, &other, &err), "%s", err.text);
    begin_recording("/r/1");
    ck_assert(journal_find_recording(other, "/r/1", &found, &is_found, &err));
    ck_assert(is_found);
    journal_close(other);
    begin_recording("/r/2");
}
END_TEST

START_TEST(what_was_written_survives_a_kill)
{
    struct journal_recording recording;
    struct journal_file file;
    struct journal_part part;
    bool found = false;
    int ready[2], status;
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        open_journal();
        file = add_file(begin_recording("/r/1").id, "a.mp4", true);
        save_part(file.id, 1);
        if (!journal_begin(journal, &err))
            _exit(1);
        save_part(file.id, 2);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(ready[0]);
    close(ready[1]);
    open_journal();
    ck_assert(journal_find_recording(journal, "/r/1", &recording, &found, &err));
    ck_assert(found);
    ck_assert(journal_find_file(journal, recording.id, "a.mp4", &file, &found, &err));
    ck_assert(found);
    ck_assert(journal_find_part(journal, file.id, 1, &part, &found, &err));
    ck_assert(found);
    ck_assert(journal_find_part(journal, file.id, 2, &part, &found, &err));
    ck_assert_msg(!found, "a group that was not committed was written");
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
}
END_TEST

static _Noreturn void write_as_a_process_of_its_own(int start_fd, unsigned index)
{
    char directory[32], byte;
    int64_t file_id;

    snprintf(directory, sizeof directory, "/r/%u", index);
    if (read(start_fd, &byte, 1) != 0)
        _exit(2);
    open_journal();
    file_id = add_file(begin_recording(directory).id, "a.mp4", true).id;
    for (unsigned number = 1; number <= 8; number++)
        save_part(file_id, number);
    journal_close(journal);
    _exit(0);
}

START_TEST(sixteen_processes_that_make_and_write_the_journal_at_once_all_succeed)
{
    int start[2], status;

    ck_assert_int_eq(pipe(start), 0);
    for (unsigned i = 0; i < 16; i++) {
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            close(start[1]);
            write_as_a_process_of_its_own(start[0], i);
        }
    }
    close(start[0]);
    close(start[1]); /* the shot */
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ck_assert_str_eq(ask("SELECT count(*) FROM part"), "128");
    ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
}
END_TEST

/* In a child with a mount of its own; 77: not permitted here. */
static int fill_a_small_disk(void)
{
    struct journal_part part;
    int64_t file_id;

    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("test", base, "tmpfs", 0, "size=512k") != 0)
        return 77;
    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    for (unsigned number = 1; number <= S3_MAX_PARTS; number++) {
        part = make_part(number, true);
        if (!journal_save_part(journal, file_id, &part, &err))
            break;
    }
    expect_failure(err.kind == ERROR_NONE, ERROR_TRANSIENT, "no space");
    ck_assert_int_eq(err.sys_errno, ENOSPC);
    error_clear(&err);
    ck_assert_int_eq(mount("test", base, "tmpfs", MS_REMOUNT, "size=4m"), 0);
    ck_assert_msg(journal_save_part(journal, file_id, &part, &err), "%s", err.text);
    journal_close(journal);
    return 0;
}

START_TEST(a_full_disk_may_go_away_by_itself)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(fill_a_small_disk());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}
END_TEST

START_TEST(a_journal_in_memory_serves_tests)
{
    strcpy(path, ":memory:");
    open_journal();
    add_file(begin_recording("/r/1").id, "a.mp4", true);
}
END_TEST

START_TEST(the_journal_needs_little_memory)
{
    struct journal_part part;
    bool found;
    int64_t file_id;

    open_journal();
    file_id = add_file(begin_recording("/r/1").id, "a.mp4", true).id;
    ck_assert(journal_begin(journal, &err));
    for (unsigned number = 1; number <= S3_MAX_PARTS; number++)
        save_part(file_id, number);
    ck_assert(journal_commit(journal, &err));
    for (unsigned number = 1; number <= S3_MAX_PARTS; number++)
        ck_assert(journal_find_part(journal, file_id, number, &part, &found, &err) && found);
    ck_assert_msg(sqlite3_memory_highwater(0) < 1500 * 1024, "%lld bytes",
                  (long long)sqlite3_memory_highwater(0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tests = tcase_create("journal");

    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, the_journal_and_its_directory_are_made_for_their_owner_only);
    tcase_add_test(tests, it_is_a_wal_file_with_our_mark_and_version);
    tcase_add_test(tests, its_tables_explain_themselves_to_an_operator);
    tcase_add_test(tests, only_the_last_missing_directory_is_made);
    tcase_add_test(tests, a_path_without_a_directory_is_in_the_working_directory);
    tcase_add_test(tests, a_path_that_can_be_no_file_is_refused);
    tcase_add_test(tests, links_on_the_way_are_followed_but_the_file_may_not_be_one);
    tcase_add_test(tests, a_file_that_is_no_database_is_left_alone);
    tcase_add_test(tests, another_program_s_database_is_left_alone);
    tcase_add_test(tests, a_journal_of_a_newer_version_is_left_alone);
    tcase_add_loop_test(
        tests, a_journal_of_an_older_version_is_brought_up_to_date_with_all_that_is_in_it, 1, 6);
    tcase_add_test(tests, uploads_that_version_4_left_in_files_rows_are_leftovers);
    tcase_add_test(tests, one_without_an_id_is_not_searched_while_a_file_has_its_key);
    tcase_add_test(tests, a_journal_whose_content_was_overwritten_is_damaged);
    tcase_add_test(tests, a_journal_that_may_not_be_written_is_permanent);
    tcase_add_test(tests, a_recording_is_found_as_it_was_saved);
    tcase_add_test(tests, a_recording_begun_again_is_the_same_row_with_one_more_try);
    tcase_add_test(tests, a_file_is_found_as_it_was_saved_with_every_field_at_its_limit);
    tcase_add_test(tests, a_file_that_is_sent_again_meanwhile_is_not_said_to_be_removed);
    tcase_add_test(tests, a_path_is_added_to_a_recording_once);
    tcase_add_test(tests, a_row_that_is_not_there_cannot_be_saved);
    tcase_add_test(tests, a_state_that_does_not_exist_is_not_stored);
    tcase_add_test(tests, a_key_belongs_to_one_file_whatever_its_state);
    tcase_add_test(tests, a_taken_key_leaves_the_group_of_writes_alive);
    tcase_add_test(tests, files_come_in_the_order_of_ids_media_apart_from_the_rest);
    tcase_add_test(tests, parts_are_saved_replaced_walked_and_forgotten);
    tcase_add_test(tests, a_part_number_out_of_range_is_not_stored);
    tcase_add_test(tests, events_tell_the_history);
    tcase_add_test(tests, a_recording_takes_its_rows_with_it);
    tcase_add_test(tests, a_row_beyond_our_limits_is_damage_and_nothing_is_handed_out);
    tcase_add_test(tests, a_fingerprint_of_another_length_is_damage);
    tcase_add_test(tests, a_group_is_written_as_a_whole_or_not_at_all);
    tcase_add_test(tests, a_group_keeps_other_writers_out_from_its_beginning);
    tcase_add_test(tests, two_connections_of_one_process_see_each_other_s_rows);
    tcase_add_test(tests, what_was_written_survives_a_kill);
    tcase_add_test(tests, sixteen_processes_that_make_and_write_the_journal_at_once_all_succeed);
    tcase_add_test(tests, a_full_disk_may_go_away_by_itself);
    tcase_add_test(tests, a_journal_in_memory_serves_tests);
    tcase_add_test(tests, the_journal_needs_little_memory);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
