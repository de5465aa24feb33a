#include "finalize/lifecycle/intake.h"

#include "finalize/lifecycle/intake_media.h"
#include "finalize/lifecycle/leftover.h"
#include "finalize/session/file_name.h"
#include "finalize/session/metadata.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct work {
    const struct intake *intake;
    struct intake_result result;
};

static void remark(const struct intake *intake, const char *path, const char *sentence)
{
    intake->remark(intake->context, path, sentence);
}

/* ---- what a file's content says -------------------------------------------------------------- */

static bool look_into_metadata(const struct intake *intake, int fd, struct journal_file *file,
                               struct error *err)
{
    struct metadata metadata;

    if (!metadata_read(fd, file->identity.size_bytes, &metadata, err))
        return false;
    if (!metadata.understood)
        remark(intake, file->path, "is not the JSON object that Jibri writes");
    snprintf(intake->row->meeting_url, sizeof intake->row->meeting_url, "%s", metadata.meeting_url);
    intake->row->share = metadata.share;
    file->state = JOURNAL_FILE_PENDING;
    if (metadata.treatment == METADATA_WITHHELD) {
        file->state = JOURNAL_FILE_WITHHELD;
        remark(intake, file->path,
               "may hold credentials and is too broken to cut them out: it stays on this machine");
    } else if (metadata.treatment == METADATA_REDACTED) {
        remark(intake, file->path, "is uploaded without upload_credentials");
    }
    metadata_done(&metadata);
    return true;
}

/* Fills in what depends on the content of a new or changed file. ERROR_CHANGED: it vanished. */
static bool look_into(const struct intake *intake, struct journal_file *file, struct error *err)
{
    const struct intake_media media = {
        .session_dir = intake->session_dir, .remark = intake->remark, .context = intake->context};
    struct file_identity identity;
    bool ok;
    int fd;

    if (!file->media && strcmp(file->path, METADATA_FILE_NAME) != 0)
        return true;
    if (!session_dir_open_file(intake->session_dir, file->path, &fd, &identity, err))
        return false;
    file->identity = identity;
    ok = file->media ? intake_media_look_into(&media, fd, file, err)
                     : look_into_metadata(intake, fd, file, err);
    close(fd);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void renew_mark(const struct intake *intake, struct journal_file *file)
{
    snprintf(file->mark, sizeof file->mark, "%016llx%016llx",
             (unsigned long long)rng_next(intake->rng), (unsigned long long)rng_next(intake->rng));
}

static void begin_again(const struct intake *intake, struct journal_file *file)
{
    if (file->notice != JOURNAL_NOTICE_DUE) { /* its bytes may prove to be the same */
        memcpy(file->told_mark, file->mark, sizeof file->told_mark);
        file->told_notice = file->notice;
    }
    renew_mark(intake, file);
    file->state = JOURNAL_FILE_PENDING;
    file->notice = file->media ? JOURNAL_NOTICE_DUE : JOURNAL_NOTICE_NONE;
    file->phase = file->upload_id[0] ? JOURNAL_PHASE_ABORTING : JOURNAL_PHASE_NONE;
    file->etag[0] = 0;
    file->uploaded_at = 0;
    file->safe_at = 0;
    file->removed_at = 0;
    file->taken_back = 0;
}

/*
 * The file is not what it was. Parts are compared one by one before they count, so an upload that
 * is open goes on. But an object that exists, or may exist, holds the earlier content: it must not
 * be taken for this one, hence a new mark.
 */
static void adapt_to_change(const struct intake *intake, struct journal_file *file)
{
    bool object_may_exist = file->state != JOURNAL_FILE_PENDING ||
                            file->phase == JOURNAL_PHASE_PUTTING ||
                            file->phase == JOURNAL_PHASE_COMPLETING;

    if (!object_may_exist)
        return;
    if (file->state != JOURNAL_FILE_GONE && file->state != JOURNAL_FILE_WITHHELD)
        remark(intake, file->path,
               "changed, or was copied, after it was stored: it is compared with the object");
    begin_again(intake, file);
}

static void begin_row(const struct intake *intake, const struct session_dir_file *found,
                      struct journal_file *ret_file)
{
    *ret_file = (struct journal_file){.recording_id = intake->row->id,
                                      .media = found->media,
                                      .identity = found->identity,
                                      .object_bytes = found->identity.size_bytes};
    snprintf(ret_file->path, sizeof ret_file->path, "%s", found->path);
    begin_again(intake, ret_file);
}

static bool save_row(const struct intake *intake, struct journal_file *file, struct error *err)
{
    return file->id ? journal_save_file(intake->journal, file, err)
                    : journal_add_file(intake->journal, file, err);
}

static bool note_unreadable(const struct intake *intake, struct journal_file *file,
                            const struct error *error, struct error *err)
{
    snprintf(file->last_error, sizeof file->last_error, "%s", error->text);
    file->identity.mtime_ns = INTAKE_NEVER_LOOKED_INTO;
    if (!save_row(intake, file, err))
        return false;
    intake->failed(intake->context, file, error);
    return true;
}

/* Of a directory that was copied to another disk, with the times of its files. */
static bool is_same(const struct intake *intake, const struct journal_file *file,
                    const struct session_dir_file *found)
{
    struct file_identity was = file->identity;

    if (intake->moved)
        was.inode = found->identity.inode;
    return file_identity_same(&was, &found->identity);
}

/* *ret_there is false when the file vanished as it was looked at. */
static bool update_row(const struct intake *intake, const struct session_dir_file *found,
                       struct journal_file *file, bool *ret_there, struct error *err)
{
    bool was_incomplete = file->incomplete;
    struct error failure = ERROR_INIT;

    *ret_there = true;
    if (!file->id) {
        begin_row(intake, found, file);
    } else {
        bool other_kind = file->media != found->media && file->state == JOURNAL_FILE_PENDING;

        if (!other_kind && is_same(intake, file, found) && file->state != JOURNAL_FILE_GONE) {
            bool copied = file->identity.inode != found->identity.inode;

            file->identity = found->identity;
            return !copied || save_row(intake, file, err);
        } /* one that was gone, and is there again, is uploaded after all */
        file->identity = found->identity;
        file->object_bytes = found->identity.size_bytes;
        if (other_kind) { /* CONFOMEET_MEDIA was changed before it was sent */
            file->media = found->media;
            begin_again(intake, file);
        } else {
            adapt_to_change(intake, file);
        }
    }
    if (!look_into(intake, file, &failure)) {
        *ret_there = failure.kind != ERROR_CHANGED;
        return !*ret_there || note_unreadable(intake, file, &failure, err);
    }
    /* What an object is said to be is fixed when its upload is created. */
    if (file->id && file->incomplete != was_incomplete && file->phase == JOURNAL_PHASE_OPEN) {
        begin_again(intake, file);
        remark(intake, file->path, "sent again as a whole: whether it plays has changed");
    }
    return save_row(intake, file, err);
}

bool intake_growing(const struct intake *intake, const struct session_dir_file *found,
                    struct journal_file *ret_file, bool *ret_usable, struct error *err)
{
    bool known;

    *ret_usable = false;
    if (!journal_find_file(intake->journal, intake->row->id, found->path, ret_file, &known, err))
        return false;
    if (!known)
        begin_row(intake, found, ret_file);
    if (ret_file->state != JOURNAL_FILE_PENDING ||
        (ret_file->phase != JOURNAL_PHASE_NONE && ret_file->phase != JOURNAL_PHASE_CREATING &&
         ret_file->phase != JOURNAL_PHASE_OPEN))
        return true;
    if (known && (ret_file->identity.inode != found->identity.inode ||
                  ret_file->identity.size_bytes > found->identity.size_bytes))
        return true; /* another file: the finalizer compares all of it */
    ret_file->identity = found->identity;
    ret_file->identity.mtime_ns = INTAKE_NEVER_LOOKED_INTO;
    ret_file->object_bytes = found->identity.size_bytes;
    *ret_usable = true;
    return save_row(intake, ret_file, err);
}

static bool on_file(void *context, const struct session_dir_file *found, struct error *err)
{
    struct work *work = context;
    const struct intake *intake = work->intake;
    struct journal_file file = {.id = 0};
    bool known, there;

    if (!journal_find_file(intake->journal, intake->row->id, found->path, &file, &known, err) ||
        !update_row(intake, found, &file, &there, err))
        return false;
    if (!there)
        return true;
    work->result.files++;
    if (file.state == JOURNAL_FILE_PENDING)
        work->result.pending_bytes += file.object_bytes;
    if (file.media && !work->result.main_media_name[0])
        snprintf(work->result.main_media_name, sizeof work->result.main_media_name, "%s",
                 file_name_of(file.path));
    return true;
}

static bool on_unreadable(void *context, const char *path, int errno_value, struct error *err)
{
    const struct intake *intake = ((struct work *)context)->intake;
    struct error failure = ERROR_INIT;
    struct journal_file file;
    bool known;

    error_set_errno(&failure, ERROR_PERMANENT, errno_value, "cannot read %s", path);
    if (!journal_find_file(intake->journal, intake->row->id, path, &file, &known, err))
        return false;
    if (known)
        return note_unreadable(intake, &file, &failure, err);
    file = (struct journal_file){.id = 0};
    snprintf(file.path, sizeof file.path, "%s", path);
    intake->failed(intake->context, &file, &failure);
    return true;
}

static void on_skipped(void *context, const char *path, const char *reason)
{
    struct work *work = context;
    char sentence[160];

    snprintf(sentence, sizeof sentence, "is skipped: it is %.120s", reason);
    remark(work->intake, path, sentence);
}

/* ---- rows without a file --------------------------------------------------------------------- */

static bool note_if_gone(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    const struct intake *intake = work->intake;
    struct file_identity identity;
    struct error missing = ERROR_INIT;
    int fd;

    /* What is in the bucket needs no file; what may be is looked for there. */
    if (file->state != JOURNAL_FILE_PENDING || journal_file_may_be_stored(file))
        return true;
    if (session_dir_open_file(intake->session_dir, file->path, &fd, &identity, &missing)) {
        close(fd);
        return true;
    }
    if (missing.kind != ERROR_CHANGED)
        return true; /* it is there, but cannot be opened: its delivery says why */
    remark(intake, file->path, "vanished before it was safe");
    file->state = JOURNAL_FILE_GONE;
    return leftover_take(intake->journal, file, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

bool intake_run(const struct intake *intake, struct intake_result *ret_result, struct error *err)
{
    struct work work = {.intake = intake};
    struct session_dir_visitor visitor = {.context = &work,
                                          .media = intake->settings->media,
                                          .file = on_file,
                                          .skipped = on_skipped,
                                          .unreadable = on_unreadable};

    if (!session_dir_scan(intake->session_dir, &visitor, err) ||
        !journal_each_file(intake->journal, intake->row->id, note_if_gone, &work, err) ||
        !journal_save_recording(intake->journal, intake->row, time(NULL), err))
        return false;
    *ret_result = work.result;
    return true;
}

struct survey {
    unsigned files;
    bool media;                         /* directly in the directory */
    char with_media[SESSION_NAME_SIZE]; /* the last directory in it that was seen to hold media, */
    char with_metadata[SESSION_NAME_SIZE]; /* and metadata.json */
    bool sessions;                         /* one of them holds both, as a session directory does */
};

static void look_at_nested(struct survey *survey, const struct session_dir_file *found)
{
    const char *slash = strchr(found->path, '/');
    size_t length = (size_t)(slash - found->path);
    bool metadata = !strcmp(slash + 1, METADATA_FILE_NAME);

    if (length >= SESSION_NAME_SIZE || strchr(slash + 1, '/'))
        return;
    if (found->media)
        snprintf(survey->with_media, sizeof survey->with_media, "%.*s", (int)length, found->path);
    if (metadata)
        snprintf(survey->with_metadata, sizeof survey->with_metadata, "%.*s", (int)length,
                 found->path);
    if (survey->with_media[0] && !strcmp(survey->with_media, survey->with_metadata))
        survey->sessions = true;
}

static bool survey_file(void *context, const struct session_dir_file *found, struct error *err)
{
    struct survey *survey = context;

    (void)err;
    survey->files++;
    if (strchr(found->path, '/'))
        look_at_nested(survey, found);
    else
        survey->media |= found->media;
    return true;
}

/* It is there, and may hold something: the run reports that it cannot be read. */
static bool survey_unreadable(void *context, const char *path, int errno_value, struct error *err)
{
    (void)path;
    (void)errno_value;
    (void)err;
    ((struct survey *)context)->files++;
    return true;
}

bool intake_survey(struct session_dir *session_dir, const char *media, unsigned *ret_files,
                   struct error *err)
{
    struct survey survey = {0};
    struct session_dir_visitor visitor = {
        .context = &survey, .media = media, .file = survey_file, .unreadable = survey_unreadable};
    struct stat directory;

    if (!stat(session_dir_path(session_dir), &directory) && directory.st_mode & S_ISVTX)
        return error_set(err, ERROR_USAGE,
                         "%s is writable for all users (sticky bit) and not a session's directory",
                         session_dir_path(session_dir));
    if (!session_dir_scan(session_dir, &visitor, err))
        return false;
    if (survey.sessions && !survey.media)
        return error_set(err, ERROR_USAGE, "%s holds session directories and is not one itself",
                         session_dir_path(session_dir));
    *ret_files = survey.files;
    return true;
}
