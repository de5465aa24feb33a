#include "finalize/lifecycle/intake.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEDIA "12345_2024-04-23-15-04-05.mp4"

/* The boxes of a recording: ftyp, then mdat, then (when it was ended properly) moov. */
static const char cut_off_mp4[] = "\0\0\0\x10"
                                  "ftypisom\0\0\0\0"
                                  "\0\0\0\x0c"
                                  "mdatABCD";
static const char whole_mp4[] = "\0\0\0\x10"
                                "ftypisom\0\0\0\0"
                                "\0\0\0\x0c"
                                "mdatABCD"
                                "\0\0\0\x08"
                                "moov";

static char base[64];
static char session[128];
static struct session_dir *recording;
static struct journal *journal;
static struct journal_recording row;
static struct rng rng;
static struct settings settings;
static struct error err;
static char remarks[4096]; /* "path: sentence" lines */

static void on_remark(void *context, const char *path, const char *sentence)
{
    size_t length = strlen(remarks);

    (void)context;
    snprintf(remarks + length, sizeof remarks - length, "%s: %s\n", path, sentence);
}

static char failures[8192];

static void on_failed(void *context, const struct journal_file *file, const struct error *error)
{
    size_t length = strlen(failures);

    (void)context;
    snprintf(failures + length, sizeof failures - length, "%s|%s;", file->path, error->text);
}

/* Reading a file of this size fails; reading the media file calls this, once. */
static off_t unreadable_size = -1;
static void (*while_reading)(void);

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    struct stat status;
    bool known = !fstat(fd, &status);

    if (while_reading && known && status.st_size == (off_t)sizeof whole_mp4 - 1) {
        void (*hook)(void) = while_reading;

        while_reading = NULL;
        hook();
    }
    if (known && status.st_size == unreadable_size) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, bytes, length, offset);
}

static void set_up(void)
{
    char made[] = "/tmp/test_intake_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    ck_assert_msg(session_dir_open(session, &recording, &err), "%s", err.text);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    rng.state = 1;
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

static void make_media(void)
{
    unit_write(in_session(MEDIA), whole_mp4, sizeof whole_mp4 - 1);
}

static struct intake_result run(void)
{
    struct intake intake = {.settings = &settings,
                            .journal = journal,
                            .session_dir = recording,
                            .row = &row,
                            .rng = &rng,
                            .remark = on_remark,
                            .failed = on_failed};
    struct intake_result result;

    remarks[0] = failures[0] = 0;
    ck_assert_msg(intake_run(&intake, &result, &err), "%s", err.text);
    return result;
}

static struct journal_file row_of(const char *path)
{
    struct journal_file file;
    bool found;

    ck_assert(journal_find_file(journal, row.id, path, &file, &found, &err));
    ck_assert_msg(found, "no row of %s", path);
    return file;
}

static void save(const struct journal_file *file)
{
    ck_assert_msg(journal_save_file(journal, file, &err), "%s", err.text);
}

START_TEST(a_new_file_gets_a_row_and_a_mark)
{
    struct intake_result result;
    struct journal_file file, other;

    make_media();
    unit_write_text(in_session("notes.txt"), "hello");
    result = run();
    ck_assert_uint_eq(result.files, 2);
    ck_assert_uint_eq(result.pending_bytes, sizeof whole_mp4 - 1 + 5);
    ck_assert_str_eq(result.main_media_name, MEDIA);
    file = row_of(MEDIA);
    ck_assert(file.media);
    ck_assert(!file.incomplete);
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_DUE);
    ck_assert_int_eq(file.phase, JOURNAL_PHASE_NONE);
    ck_assert_uint_eq(file.object_bytes, sizeof whole_mp4 - 1);
    ck_assert_str_eq(file.key, "");
    ck_assert_uint_eq(strspn(file.mark, "0123456789abcdef"), S3_MARK_SIZE - 1);
    other = row_of("notes.txt");
    ck_assert(!other.media);
    ck_assert_int_eq(other.notice, JOURNAL_NOTICE_NONE);
    ck_assert_str_ne(other.mark, file.mark);
    ck_assert_str_eq(remarks, "");
}
END_TEST

START_TEST(an_unchanged_file_keeps_its_row_as_it_is)
{
    struct journal_file before, after;

    make_media();
    run();
    before = row_of(MEDIA);
    before.state = JOURNAL_FILE_UPLOADED;
    before.phase = JOURNAL_PHASE_NONE;
    before.notice = JOURNAL_NOTICE_SENT;
    snprintf(before.key, sizeof before.key, "k");
    save(&before);
    ck_assert_uint_eq(run().pending_bytes, 0);
    after = row_of(MEDIA);
    ck_assert_int_eq(after.state, JOURNAL_FILE_UPLOADED);
    ck_assert_int_eq(after.notice, JOURNAL_NOTICE_SENT);
    ck_assert_str_eq(after.mark, before.mark);
    ck_assert_str_eq(after.key, "k");
}
END_TEST

static const struct change {
    enum journal_file_state state;
    enum journal_phase phase;
    const char *upload_id;
    bool new_mark;
    enum journal_phase phase_after;
    const char *upload_id_after;
} changes[] = {
    /* nothing was sent: the row goes on */
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_NONE, "", false, JOURNAL_PHASE_NONE, ""},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_CREATING, "", false, JOURNAL_PHASE_CREATING, ""},
    /* parts are compared one by one: the upload goes on */
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_OPEN, "u1", false, JOURNAL_PHASE_OPEN, "u1"},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_ABORTING, "u1", false, JOURNAL_PHASE_ABORTING, "u1"},
    /* an object of the earlier content exists, or may exist */
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_PUTTING, "", true, JOURNAL_PHASE_NONE, ""},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_COMPLETING, "u1", true, JOURNAL_PHASE_ABORTING, "u1"},
    {JOURNAL_FILE_UPLOADED, JOURNAL_PHASE_NONE, "", true, JOURNAL_PHASE_NONE, ""},
    {JOURNAL_FILE_SAFE, JOURNAL_PHASE_NONE, "", true, JOURNAL_PHASE_NONE, ""},
    {JOURNAL_FILE_GONE, JOURNAL_PHASE_NONE, "", true, JOURNAL_PHASE_NONE, ""},
};

START_TEST(what_a_changed_file_s_row_becomes_depends_on_what_may_be_in_the_bucket)
{
    const struct change *change = &changes[_i];
    struct journal_file before, after;

    unit_write_text(in_session(MEDIA), "first");
    run();
    before = row_of(MEDIA);
    before.state = change->state;
    before.phase = change->phase;
    before.notice = JOURNAL_NOTICE_ACCEPTED;
    before.safe_at = before.uploaded_at = before.backend_row = 77;
    snprintf(before.upload_id, sizeof before.upload_id, "%s", change->upload_id);
    snprintf(before.key, sizeof before.key, "k");
    snprintf(before.etag, sizeof before.etag, "e");
    save(&before);
    unit_write_text(in_session(MEDIA), "something longer");
    ck_assert_uint_eq(run().pending_bytes, 16);
    after = row_of(MEDIA);
    ck_assert_int_eq(after.id, before.id);
    ck_assert_int_eq(after.state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(strcmp(after.mark, before.mark) != 0, change->new_mark);
    ck_assert_int_eq(after.phase, change->phase_after);
    ck_assert_str_eq(after.upload_id, change->upload_id_after);
    ck_assert_uint_eq(after.object_bytes, 16);
    ck_assert_uint_eq(after.identity.size_bytes, 16);
    ck_assert_str_eq(after.key, "k");
    if (change->new_mark) {
        ck_assert_int_eq(after.notice, JOURNAL_NOTICE_DUE);
        ck_assert_str_eq(after.etag, "");
        ck_assert_int_eq(after.uploaded_at, 0);
        ck_assert_int_eq(after.safe_at, 0);
        ck_assert_str_eq(after.told_mark, before.mark);
        ck_assert_int_eq(after.told_notice, before.notice);
        ck_assert_int_eq(after.backend_row, 77); /* of what was told */
    }
}
END_TEST

START_TEST(what_counts_as_media_holds_for_what_was_not_sent_yet)
{
    struct journal_file file;

    settings.media = (char *)"mp4";
    unit_write_text(in_session("1_a.ts"), "bytes");
    run();
    file = row_of("1_a.ts");
    ck_assert(!file.media && file.notice == JOURNAL_NOTICE_NONE);
    settings.media = (char *)"mp4,ts";
    run();
    file = row_of("1_a.ts");
    ck_assert(file.media && file.notice == JOURNAL_NOTICE_DUE);
    file.state = JOURNAL_FILE_UPLOADED;
    save(&file);
    settings.media = (char *)"mp4";
    run();
    ck_assert(row_of("1_a.ts").media);
    settings.media = NULL;
}
END_TEST

START_TEST(a_file_of_the_same_size_that_was_written_to_is_changed)
{
    struct journal_file before;
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    make_media();
    run();
    before = row_of(MEDIA);
    before.state = JOURNAL_FILE_SAFE;
    save(&before);
    ck_assert_int_eq(utimensat(AT_FDCWD, in_session(MEDIA), times, 0), 0);
    run();
    ck_assert_int_eq(row_of(MEDIA).state, JOURNAL_FILE_PENDING);
    ck_assert_str_ne(row_of(MEDIA).mark, before.mark);
}
END_TEST

START_TEST(a_file_that_vanished_before_it_was_in_the_bucket_is_noted_as_gone)
{
    static const struct {
        enum journal_file_state state;
        bool gone;
    } rows[] = {{JOURNAL_FILE_PENDING, true},
                {JOURNAL_FILE_UPLOADED, false},
                {JOURNAL_FILE_SAFE, false},
                {JOURNAL_FILE_WITHHELD, false},
                {JOURNAL_FILE_GONE, false}};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct journal_file file;

        unit_write_text(in_session("a.txt"), "a");
        run();
        file = row_of("a.txt");
        file.state = rows[i].state;
        save(&file);
        ck_assert_int_eq(unlink(in_session("a.txt")), 0);
        run();
        ck_assert_int_eq(row_of("a.txt").state, rows[i].gone ? JOURNAL_FILE_GONE : rows[i].state);
        ck_assert_int_eq(strstr(remarks, "a.txt: vanished") != NULL, rows[i].gone);
        run();
        ck_assert_str_eq(remarks, ""); /* told once */
    }
}
END_TEST

START_TEST(a_recording_without_moov_is_marked_incomplete_and_uploaded)
{
    unit_write(in_session(MEDIA), cut_off_mp4, sizeof cut_off_mp4 - 1);
    run();
    ck_assert(row_of(MEDIA).incomplete);
    ck_assert_int_eq(row_of(MEDIA).state, JOURNAL_FILE_PENDING);
    ck_assert_ptr_nonnull(strstr(remarks, MEDIA ": has no moov"));
    make_media(); /* it was repaired */
    run();
    ck_assert(!row_of(MEDIA).incomplete);
}
END_TEST

START_TEST(other_kinds_of_media_are_not_looked_into)
{
    unit_write_text(in_session("1_a.webm"), "no boxes");
    unit_write_text(in_session("1_b.mkv"), "no boxes");
    run();
    ck_assert(row_of("1_a.webm").media);
    ck_assert(!row_of("1_a.webm").incomplete);
    ck_assert(!row_of("1_b.mkv").incomplete);
    ck_assert_str_eq(remarks, "");
}
END_TEST

START_TEST(metadata_fills_in_the_meeting)
{
    unit_write_text(
        in_session("metadata.json"),
        "{\"meeting_url\": \"https://meet/12345\", \"participants\": [], \"share\": true}");
    run();
    ck_assert_str_eq(row.meeting_url, "https://meet/12345");
    ck_assert_int_eq(row.share, 1);
    ck_assert_int_eq(row_of("metadata.json").state, JOURNAL_FILE_PENDING);
    ck_assert(!row_of("metadata.json").media);
    ck_assert_str_eq(remarks, "");
}
END_TEST

START_TEST(what_metadata_said_is_in_the_journal)
{
    struct journal_recording saved;
    bool found;

    unit_write_text(in_session("metadata.json"),
                    "{\"meeting_url\": \"https://meet/12345\", \"share\": false}");
    run();
    ck_assert(journal_find_recording(journal, session, &saved, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(saved.meeting_url, "https://meet/12345");
    ck_assert_int_eq(saved.share, 0);
}
END_TEST

START_TEST(metadata_with_credentials_is_to_be_uploaded_without_them)
{
    unit_write_text(in_session("metadata.json"),
                    "{\"share\": true, \"upload_credentials\": {\"token\": \"s3cr3t\"}}");
    run();
    ck_assert_int_eq(row_of("metadata.json").state, JOURNAL_FILE_PENDING);
    ck_assert_ptr_nonnull(strstr(remarks, "without upload_credentials"));
    ck_assert_ptr_null(strstr(remarks, "s3cr3t"));
}
END_TEST

START_TEST(metadata_that_may_hold_credentials_is_withheld_until_it_is_whole)
{
    unit_write_text(in_session("metadata.json"), "{\"upload_credentials\": {\"token\": \"s3cr3t\"");
    ck_assert_uint_eq(run().pending_bytes, 0);
    ck_assert_int_eq(row_of("metadata.json").state, JOURNAL_FILE_WITHHELD);
    ck_assert_ptr_nonnull(strstr(remarks, "stays on this machine"));
    ck_assert_ptr_null(strstr(remarks, "s3cr3t"));
    unit_write_text(in_session("metadata.json"), "{\"share\": false}");
    ck_assert_uint_eq(run().pending_bytes, 16);
    ck_assert_int_eq(row_of("metadata.json").state, JOURNAL_FILE_PENDING);
}
END_TEST

START_TEST(broken_metadata_without_credentials_is_uploaded_as_it_is)
{
    unit_write_text(in_session("metadata.json"), "{\"meeting_url\": ");
    run();
    ck_assert_int_eq(row_of("metadata.json").state, JOURNAL_FILE_PENDING);
    ck_assert_ptr_nonnull(strstr(remarks, "is not the JSON object that Jibri writes"));
}
END_TEST

START_TEST(only_the_metadata_of_the_session_itself_is_read)
{
    ck_assert_int_eq(mkdir(in_session("deeper"), 0755), 0);
    unit_write_text(in_session("deeper/metadata.json"), "{\"meeting_url\": \"https://other\"}");
    run();
    ck_assert_str_eq(row.meeting_url, "");
    ck_assert_int_eq(row_of("deeper/metadata.json").state, JOURNAL_FILE_PENDING);
}
END_TEST

START_TEST(links_are_passed_over_with_a_remark)
{
    ck_assert_int_eq(symlink("/etc/passwd", in_session("link.mp4")), 0);
    ck_assert_uint_eq(run().files, 0);
    ck_assert_ptr_nonnull(strstr(remarks, "link.mp4: is skipped: it is a symbolic link"));
}
END_TEST

START_TEST(the_first_media_file_is_the_main_one)
{
    unit_write_text(in_session("2_b.webm"), "b");
    unit_write_text(in_session("1_a.webm"), "a");
    ck_assert_str_eq(run().main_media_name, "1_a.webm");
}
END_TEST

START_TEST(a_run_that_fails_leaves_the_journal_as_it_was)
{
    struct intake intake = {.settings = &settings,
                            .journal = journal,
                            .session_dir = recording,
                            .row = &row,
                            .rng = &rng,
                            .remark = on_remark,
                            .failed = on_failed};
    struct intake_result result = {.files = 99};
    struct journal_file file;
    bool found = true;
    int64_t id = row.id;

    unit_write_text(in_session("a.txt"), "a");
    row.id = 4711; /* there is no such recording */
    ck_assert(!intake_run(&intake, &result, &err));
    ck_assert_int_ne(err.kind, ERROR_NONE);
    ck_assert_uint_eq(result.files, 99);
    row.id = id;
    error_clear(&err);
    ck_assert(journal_find_file(journal, 4711, "a.txt", &file, &found, &err));
    ck_assert(!found);
    ck_assert_uint_eq(run().files, 1); /* and it can be written to again */
}
END_TEST

START_TEST(counting_touches_nothing)
{
    struct journal_file file;
    unsigned files = 99;
    bool found;

    make_media();
    unit_write_text(in_session("a.txt"), "a");
    ck_assert_int_eq(symlink("a.txt", in_session("link")), 0);
    ck_assert(intake_survey(recording, NULL, &files, &err));
    ck_assert_uint_eq(files, 2);
    ck_assert(journal_find_file(journal, row.id, "a.txt", &file, &found, &err));
    ck_assert(!found);
}
END_TEST

static void make_session_in_session(const char *name, bool media, bool metadata)
{
    char path[128];

    ck_assert_int_eq(mkdir(in_session(name), 0700), 0);
    snprintf(path, sizeof path, "%s/1_a.mp4", name);
    if (media)
        unit_write_text(in_session(path), "bytes");
    snprintf(path, sizeof path, "%s/metadata.json", name);
    if (metadata)
        unit_write_text(in_session(path), "{}");
}

START_TEST(a_directory_of_session_directories_is_refused)
{
    unsigned files = 99;

    make_session_in_session("nzqxnaoiugxqlhbp", true, true);
    ck_assert(!intake_survey(recording, NULL, &files, &err));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert_uint_eq(files, 99);
}
END_TEST

START_TEST(nested_files_alone_do_not_make_it_one)
{
    unsigned files;

    make_session_in_session("video", true, false);
    make_session_in_session("words", false, true);
    ck_assert(intake_survey(recording, NULL, &files, &err));
    ck_assert_uint_eq(files, 2);
}
END_TEST

START_TEST(with_media_of_its_own_it_is_a_session)
{
    unsigned files;

    make_session_in_session("copy", true, true);
    unit_write_text(in_session("2_b.mp4"), "bytes");
    ck_assert(intake_survey(recording, NULL, &files, &err));
    ck_assert_uint_eq(files, 3);
}
END_TEST

START_TEST(everybody_s_directory_is_refused)
{
    unsigned files;

    unit_write_text(in_session("2_b.mp4"), "bytes");
    ck_assert_int_eq(chmod(in_session("."), 01777), 0);
    ck_assert(!intake_survey(recording, NULL, &files, &err));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
}
END_TEST

/* ---- a file that is still being written -------------------------------------------------------
 */

/* The row of MEDIA as it is brought up to date; false when it is not usable. */
static bool note_growing(struct journal_file *ret_file)
{
    struct intake intake = {.settings = &settings,
                            .journal = journal,
                            .session_dir = recording,
                            .row = &row,
                            .rng = &rng,
                            .remark = on_remark,
                            .failed = on_failed};
    struct session_dir_file found = {.path = MEDIA, .media = true};
    bool usable = false;
    int fd;

    ck_assert(session_dir_open_file(recording, MEDIA, &fd, &found.identity, &err));
    close(fd);
    ck_assert_msg(intake_growing(&intake, &found, ret_file, &usable, &err), "%s", err.text);
    return usable;
}

static void append_media(const void *bytes, size_t length)
{
    int fd = open(in_session(MEDIA), O_WRONLY | O_APPEND | O_CLOEXEC);

    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

START_TEST(a_file_that_grows_keeps_its_row_and_its_mark)
{
    struct journal_file first, second;

    unit_write(in_session(MEDIA), cut_off_mp4, sizeof cut_off_mp4 - 1);
    ck_assert(note_growing(&first));
    ck_assert_int_gt(first.id, 0);
    ck_assert_uint_eq(first.object_bytes, sizeof cut_off_mp4 - 1);
    ck_assert(!first.incomplete); /* what is in it is not looked at */
    append_media("more", 4);
    ck_assert(note_growing(&second));
    ck_assert_int_eq(second.id, first.id);
    ck_assert_str_eq(second.mark, first.mark);
    ck_assert_uint_eq(second.object_bytes, first.object_bytes + 4);
    ck_assert_uint_eq(row_of(MEDIA).object_bytes, first.object_bytes + 4);
}
END_TEST

START_TEST(once_it_has_ended_it_is_looked_into_even_if_nothing_was_added)
{
    struct journal_file file;

    make_media();
    ck_assert(note_growing(&file));
    file.phase = JOURNAL_PHASE_OPEN;
    strcpy(file.upload_id, "u1");
    save(&file);
    run();
    file = row_of(MEDIA);
    ck_assert(!file.incomplete);
    ck_assert_int_eq(file.phase, JOURNAL_PHASE_OPEN); /* the upload goes on */
    ck_assert_str_eq(file.upload_id, "u1");
    ck_assert_int_gt(file.identity.mtime_ns, 0);
}
END_TEST

START_TEST(a_file_that_turns_out_to_be_cut_off_begins_anew)
{
    struct journal_file before, after;

    unit_write(in_session(MEDIA), cut_off_mp4, sizeof cut_off_mp4 - 1);
    ck_assert(note_growing(&before));
    before.phase = JOURNAL_PHASE_OPEN;
    strcpy(before.upload_id, "u1");
    save(&before);
    run();
    after = row_of(MEDIA);
    ck_assert(after.incomplete);
    ck_assert_int_eq(after.phase, JOURNAL_PHASE_ABORTING); /* it was said to be whole */
    ck_assert_str_eq(after.upload_id, "u1");
    ck_assert_str_ne(after.mark, before.mark);
    ck_assert_ptr_nonnull(strstr(remarks, "the recording was cut off"));
}
END_TEST

START_TEST(a_file_whose_upload_was_not_begun_is_just_marked)
{
    struct journal_file before;

    unit_write(in_session(MEDIA), cut_off_mp4, sizeof cut_off_mp4 - 1);
    ck_assert(note_growing(&before));
    run();
    ck_assert(row_of(MEDIA).incomplete);
    ck_assert_int_eq(row_of(MEDIA).phase, JOURNAL_PHASE_NONE);
    ck_assert_str_eq(row_of(MEDIA).mark, before.mark);
}
END_TEST

static const struct unusable {
    enum journal_file_state state;
    enum journal_phase phase;
    bool usable;
} unusables[] = {
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_NONE, true},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_CREATING, true},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_OPEN, true},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_PUTTING, false},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_COMPLETING, false},
    {JOURNAL_FILE_PENDING, JOURNAL_PHASE_ABORTING, false},
    {JOURNAL_FILE_UPLOADED, JOURNAL_PHASE_NONE, false},
    {JOURNAL_FILE_SAFE, JOURNAL_PHASE_NONE, false},
    {JOURNAL_FILE_GONE, JOURNAL_PHASE_NONE, false},
    {JOURNAL_FILE_WITHHELD, JOURNAL_PHASE_NONE, false},
};

START_TEST(what_was_finished_once_is_left_to_the_finalizer)
{
    struct journal_file before, after;

    make_media();
    ck_assert(note_growing(&before));
    before.state = unusables[_i].state;
    before.phase = unusables[_i].phase;
    save(&before);
    append_media("more", 4);
    ck_assert_int_eq(note_growing(&after), unusables[_i].usable);
    ck_assert_uint_eq(row_of(MEDIA).object_bytes,
                      before.object_bytes + (unusables[_i].usable ? 4 : 0));
}
END_TEST

START_TEST(another_file_and_one_that_shrank_are_left_to_the_finalizer)
{
    struct journal_file before, after;
    char other[512];

    make_media();
    ck_assert(note_growing(&before));
    if (_i) {
        unit_write(in_session("other"), whole_mp4, sizeof whole_mp4 - 1);
        snprintf(other, sizeof other, "%s", in_session("other"));
        ck_assert_int_eq(rename(other, in_session(MEDIA)), 0);
    } else {
        unit_write(in_session(MEDIA), cut_off_mp4, sizeof cut_off_mp4 - 1);
    }
    ck_assert(!note_growing(&after));
    ck_assert_uint_eq(row_of(MEDIA).object_bytes, before.object_bytes);
    ck_assert_uint_eq(row_of(MEDIA).identity.inode, before.identity.inode);
}
END_TEST

START_TEST(a_file_that_was_gone_and_is_there_again_is_uploaded_after_all)
{
    struct journal_file file;

    make_media();
    run();
    file = row_of(MEDIA);
    file.state = JOURNAL_FILE_GONE;
    save(&file);
    ck_assert_uint_eq(run().pending_bytes, sizeof whole_mp4 - 1);
    ck_assert_int_eq(row_of(MEDIA).state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(row_of(MEDIA).notice, JOURNAL_NOTICE_DUE);
}
END_TEST

START_TEST(what_cannot_be_read_is_noted_with_its_errno_and_the_rest_goes_on)
{
    static const char json[] = "{\"meeting_url\": \"https://x/1\"}";
    const char *names[] = {MEDIA, "metadata.json"};
    const char *unreadable = names[_i], *other = names[1 - _i];
    char expected[1024];

    make_media();
    unit_write_text(in_session("metadata.json"), json);
    unreadable_size = _i ? (off_t)sizeof json - 1 : (off_t)sizeof whole_mp4 - 1;
    ck_assert_uint_eq(run().files, 2);
    ck_assert_int_eq(row_of(unreadable).state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(row_of(unreadable).identity.mtime_ns, INTAKE_NEVER_LOOKED_INTO);
    ck_assert_ptr_nonnull(strstr(row_of(unreadable).last_error, "Input/output error"));
    ck_assert_int_ne(row_of(other).identity.mtime_ns, INTAKE_NEVER_LOOKED_INTO);
    snprintf(expected, sizeof expected, "%s|%s;", unreadable, row_of(unreadable).last_error);
    ck_assert_str_eq(failures, expected);
    /* The next run looks again. */
    unreadable_size = -1;
    run();
    ck_assert_str_eq(failures, "");
    ck_assert_int_ne(row_of(unreadable).identity.mtime_ns, INTAKE_NEVER_LOOKED_INTO);
    ck_assert_str_eq(row.meeting_url, "https://x/1");
}
END_TEST

static char journal_path[128];

static void write_to_the_journal(void)
{
    struct journal_recording other;
    struct journal *second;

    ck_assert_msg(journal_open(journal_path, &second, &err), "%s", err.text);
    journal_set_patience(second, 0);
    ck_assert_msg(journal_begin_recording(second, "/r/other", "other", 1, &other, &err), "%s",
                  err.text);
    journal_close(second);
}

START_TEST(others_can_write_to_the_journal_while_media_is_read)
{
    int64_t now = 1000;

    journal_close(journal);
    snprintf(journal_path, sizeof journal_path, "%s/journal.db", base);
    ck_assert_msg(journal_open(journal_path, &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, session, "session", now, &row, &err));
    unit_write_text(in_session("1_a.txt"), "written before it");
    make_media();
    while_reading = write_to_the_journal;
    run();
    ck_assert_ptr_null(while_reading); /* it was called */
    ck_assert_uint_eq(row_of(MEDIA).object_bytes, sizeof whole_mp4 - 1);
}
END_TEST

/* As ffmpeg makes it when it is told to write fragments. */
static size_t make_fragmented(const char *made)
{
    char bytes[8192], path[256];
    size_t length;
    FILE *in;

    snprintf(path, sizeof path, SOURCE_DIR "/tests/fuzz/corpus/mp4_index/%s", made);
    in = fopen(path, "re");
    ck_assert_ptr_nonnull(in);
    length = fread(bytes, 1, sizeof bytes, in);
    ck_assert_int_eq(fclose(in), 0);
    unit_write(in_session(MEDIA), bytes, length);
    return length;
}

START_TEST(a_fragmented_recording_gets_its_index_before_it_is_uploaded)
{
    size_t length = make_fragmented("zerolatency");
    struct file_identity identity;
    struct journal_file file;
    int fd;

    run();
    file = row_of(MEDIA);
    ck_assert(!file.incomplete);
    ck_assert_uint_gt(file.object_bytes, length);
    ck_assert(!file.cut_off && file.duration_ms == 2329);
    ck_assert(session_dir_open_file(recording, MEDIA, &fd, &identity, &err));
    ck_assert(file_identity_same(&file.identity, &identity));
    ck_assert_uint_eq(file.object_bytes, identity.size_bytes);
    close(fd);
    ck_assert_str_eq(remarks, "");
}
END_TEST

START_TEST(of_one_that_was_cut_off_it_is_said_until_when_it_plays)
{
    make_fragmented("cut-off");
    run();
    ck_assert(!row_of(MEDIA).incomplete);
    ck_assert(row_of(MEDIA).cut_off && row_of(MEDIA).duration_ms == 2064);
    ck_assert_ptr_nonnull(strstr(remarks, "was cut off: it plays up to 0:00:02"));
}
END_TEST

START_TEST(one_that_is_still_written_to_is_left_alone)
{
    size_t length = make_fragmented("zerolatency");
    int writer = open(in_session(MEDIA), O_WRONLY | O_APPEND | O_CLOEXEC);

    ck_assert_int_ge(writer, 0);
    run();
    ck_assert_uint_eq(row_of(MEDIA).object_bytes, length);
    ck_assert(!row_of(MEDIA).incomplete);
    close(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("intake");
    TCase *cases = tcase_create("intake");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_new_file_gets_a_row_and_a_mark);
    tcase_add_test(cases, an_unchanged_file_keeps_its_row_as_it_is);
    tcase_add_loop_test(cases,
                        what_a_changed_file_s_row_becomes_depends_on_what_may_be_in_the_bucket, 0,
                        sizeof changes / sizeof changes[0]);
    tcase_add_test(cases, what_counts_as_media_holds_for_what_was_not_sent_yet);
    tcase_add_test(cases, a_file_of_the_same_size_that_was_written_to_is_changed);
    tcase_add_test(cases, a_file_that_vanished_before_it_was_in_the_bucket_is_noted_as_gone);
    tcase_add_test(cases, a_recording_without_moov_is_marked_incomplete_and_uploaded);
    tcase_add_test(cases, other_kinds_of_media_are_not_looked_into);
    tcase_add_test(cases, metadata_fills_in_the_meeting);
    tcase_add_test(cases, what_metadata_said_is_in_the_journal);
    tcase_add_test(cases, metadata_with_credentials_is_to_be_uploaded_without_them);
    tcase_add_test(cases, metadata_that_may_hold_credentials_is_withheld_until_it_is_whole);
    tcase_add_test(cases, broken_metadata_without_credentials_is_uploaded_as_it_is);
    tcase_add_test(cases, only_the_metadata_of_the_session_itself_is_read);
    tcase_add_test(cases, links_are_passed_over_with_a_remark);
    tcase_add_test(cases, the_first_media_file_is_the_main_one);
    tcase_add_test(cases, a_run_that_fails_leaves_the_journal_as_it_was);
    tcase_add_test(cases, a_file_that_grows_keeps_its_row_and_its_mark);
    tcase_add_test(cases, once_it_has_ended_it_is_looked_into_even_if_nothing_was_added);
    tcase_add_test(cases, a_file_that_turns_out_to_be_cut_off_begins_anew);
    tcase_add_test(cases, a_file_whose_upload_was_not_begun_is_just_marked);
    tcase_add_loop_test(cases, what_was_finished_once_is_left_to_the_finalizer, 0, 10);
    tcase_add_loop_test(cases, another_file_and_one_that_shrank_are_left_to_the_finalizer, 0, 2);
    tcase_add_test(cases, a_file_that_was_gone_and_is_there_again_is_uploaded_after_all);
    tcase_add_test(cases, counting_touches_nothing);
    tcase_add_test(cases, a_directory_of_session_directories_is_refused);
    tcase_add_test(cases, nested_files_alone_do_not_make_it_one);
    tcase_add_test(cases, with_media_of_its_own_it_is_a_session);
    tcase_add_test(cases, everybody_s_directory_is_refused);
    tcase_add_loop_test(cases, what_cannot_be_read_is_noted_with_its_errno_and_the_rest_goes_on, 0,
                        2);
    tcase_add_test(cases, others_can_write_to_the_journal_while_media_is_read);
    tcase_add_test(cases, a_fragmented_recording_gets_its_index_before_it_is_uploaded);
    tcase_add_test(cases, of_one_that_was_cut_off_it_is_said_until_when_it_plays);
    tcase_add_test(cases, one_that_is_still_written_to_is_left_alone);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
