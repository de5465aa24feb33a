/*
 * What a power failure leaves of the journal. A layer under SQLite's own VFS records each write and
 * each sync of a recording's life. For every sync the files are then rebuilt as a disk may have
 * them when the power fails there: what was synced is there, and of what was written since,
 * nothing, all, or some sectors. The journal has to open, to be sound, and to hold every promise
 * that was made.
 *
 * With --all, every write is a point of failure, too, and each is tried many times. POWER_SEED is
 * the seed of what is torn.
 */
#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_outbox.h"
#include "finalize/journal/journal_schedule.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR     512
#define MOST_BYTES (1 << 20) /* of a file */
#define RECORDINGS 4
#define PARTS      12u

/* ---- what is recorded ------------------------------------------------------------------------ */

enum which { DATABASE, LOG, ROLLBACK, FILES, OTHER };
static const char *const endings[FILES] = {"", "-wal", "-journal"};

struct event {
    enum { WRITE, TRUNCATE, SYNC, DELETE } kind;
    enum which which;
    sqlite3_int64 offset; /* or the size that it was cut to */
    size_t length;
    unsigned char *bytes;
    bool lasts; /* DELETE: the directory was synced */
};
static struct event *events;
static size_t event_count;
static bool recording;

/* A call that has returned: what was written when it had, and what it promises. */
struct step {
    size_t events;
    bool promised; /* false: a power failure may take it until something else is written */
    char state[2048];
};
static struct step steps[1024];
static size_t step_count;

static char base[64], path[128];
static struct journal *journal;
static struct error err;

static void add_event(struct event event, const void *bytes)
{
    if (!recording || event.which == OTHER)
        return;
    if (bytes) {
        event.bytes = malloc(event.length);
        ck_assert_ptr_nonnull(event.bytes);
        memcpy(event.bytes, bytes, event.length);
    }
    struct event *grown = realloc(events, (event_count + 1) * sizeof *events);
    ck_assert_ptr_nonnull(grown);
    events = grown;
    events[event_count++] = event;
}

/* ---- the layer ------------------------------------------------------------------------------- */

struct layer {
    sqlite3_file file;
    enum which which;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs, layer_vfs;

#define REAL(file) (((struct layer *)(file))->real)

static int on_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}

static int on_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset)
{
    return REAL(file)->pMethods->xRead(REAL(file), bytes, length, offset);
}

static int on_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    add_event((struct event){.kind = WRITE,
                             .which = ((struct layer *)file)->which,
                             .offset = offset,
                             .length = (size_t)length},
              bytes);
    return REAL(file)->pMethods->xWrite(REAL(file), bytes, length, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    add_event(
        (struct event){.kind = TRUNCATE, .which = ((struct layer *)file)->which, .offset = size},
        NULL);
    return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

/* The disk of the test's machine need not be waited for. */
static int on_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    add_event((struct event){.kind = SYNC, .which = ((struct layer *)file)->which}, NULL);
    return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), size);
}

static int on_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xLock(REAL(file), lock);
}

static int on_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), lock);
}

static int on_reserved(sqlite3_file *file, int *locked)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), locked);
}

static int on_control(sqlite3_file *file, int what, void *argument)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), what, argument);
}

static int on_sector_size(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}

/* No characteristics: SQLite must not rely on guarantees that not every disk gives. */
static int on_characteristics(sqlite3_file *file)
{
    (void)file;
    return 0;
}

static int on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **where)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, where);
}

static int on_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, count, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int on_shm_unmap(sqlite3_file *file, int remove)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), remove);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = on_close,
                                           .xRead = on_read,
                                           .xWrite = on_write,
                                           .xTruncate = on_truncate,
                                           .xSync = on_sync,
                                           .xFileSize = on_size,
                                           .xLock = on_lock,
                                           .xUnlock = on_unlock,
                                           .xCheckReservedLock = on_reserved,
                                           .xFileControl = on_control,
                                           .xSectorSize = on_sector_size,
                                           .xDeviceCharacteristics = on_characteristics,
                                           .xShmMap = on_shm_map,
                                           .xShmLock = on_shm_lock,
                                           .xShmBarrier = on_shm_barrier,
                                           .xShmUnmap = on_shm_unmap};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct layer *layer = (struct layer *)file;
    int status;

    (void)vfs;
    layer->file.pMethods = NULL;
    layer->which = flags & SQLITE_OPEN_MAIN_DB        ? DATABASE
                   : flags & SQLITE_OPEN_WAL          ? LOG
                   : flags & SQLITE_OPEN_MAIN_JOURNAL ? ROLLBACK
                                                      : OTHER;
    layer->real = (sqlite3_file *)(layer + 1);
    status = real_vfs->xOpen(real_vfs, name, layer->real, flags, out);
    if (layer->real->pMethods)
        layer->file.pMethods = &methods;
    return status;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    for (enum which which = LOG; which < FILES; which++)
        if (strlen(name) > strlen(endings[which]) &&
            !strcmp(name + strlen(name) - strlen(endings[which]), endings[which]))
            add_event((struct event){.kind = DELETE, .which = which, .lasts = sync_directory},
                      NULL);
    return real_vfs->xDelete(real_vfs, name, 0);
}

static void register_layer(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    layer_vfs = *real_vfs;
    layer_vfs.zName = "power";
    layer_vfs.szOsFile = (int)sizeof(struct layer) + real_vfs->szOsFile;
    layer_vfs.xOpen = on_open;
    layer_vfs.xDelete = on_delete;
    ck_assert_int_eq(sqlite3_vfs_register(&layer_vfs, 1), SQLITE_OK);
}

/* ---- a recording's life ---------------------------------------------------------------------- */

/* All that was promised: what recordings and files are, what is to be told, aborted, worked on. */
static void describe(char ret_state[sizeof steps[0].state])
{
    struct journal_recording row;
    struct journal_file file;
    struct journal_leftover leftover;
    char text[256], directory[SESSION_PATH_SIZE];
    size_t length = 0;
    int64_t at = 0;
    bool found;

#define ADD(...) \
    length += (size_t)snprintf(ret_state + length, sizeof steps[0].state - length, __VA_ARGS__)
    ret_state[0] = 0;
    for (int i = 0; i < RECORDINGS; i++) {
        snprintf(text, sizeof text, "/r/%d", i);
        ck_assert_msg(journal_find_recording(journal, text, &row, &found, &err), "%s", err.text);
        if (!found)
            continue;
        ADD("%d: %d %lld;", i, row.state, (long long)row.next_try_at);
        for (int64_t after = 0;; after = file.id) {
            ck_assert(journal_next_file(journal, row.id, true, after, &file, &found, &err));
            if (!found)
                break;
            ADD(" %s %d %d %d %s;", file.path, file.state, file.phase, file.notice, file.upload_id);
        }
    }
    ck_assert(journal_next_webhook_at(journal, 0, &at, &err));
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ADD(" event %lld, leftover %s", (long long)at, found ? leftover.key : "-");
    ck_assert(journal_next_handed_over(journal, "", directory, &found, &err));
    ADD(", handed over %s", found ? directory : "-");
#undef ADD
}

static void end_step(bool promised)
{
    struct step *step = &steps[step_count++];

    ck_assert_uint_lt(step_count, sizeof steps / sizeof *steps);
    step->promised = promised;
    describe(step->state);
    step->events = event_count;
}

#define PROMISED(call)                       \
    do {                                     \
        ck_assert_msg(call, "%s", err.text); \
        end_step(true);                      \
    } while (0)
#define UNPROMISED(call)                     \
    do {                                     \
        ck_assert_msg(call, "%s", err.text); \
        end_step(false);                     \
    } while (0)

static bool save_outcome(struct journal_recording *row, bool event)
{
    unsigned dropped;

    return journal_begin(journal, &err) && journal_save_recording(journal, row, 20, &err) &&
           (!event ||
            journal_add_webhook(journal, row->id, "event", "{}", 30 + row->id, &dropped, &err)) &&
           journal_save_announced(journal, row->id, JOURNAL_ANNOUNCED_UPLOADED, 1, &err) &&
           journal_commit(journal, &err);
}

static void upload(struct journal_recording *row, const char *name)
{
    struct journal_file file = {.recording_id = row->id,
                                .media = true,
                                .mark = "0123456789abcdef0123456789abcdef",
                                .state = JOURNAL_FILE_PENDING,
                                .notice = JOURNAL_NOTICE_DUE};

    snprintf(file.path, sizeof file.path, "%s", name);
    snprintf(file.key, sizeof file.key, "%d/%s", (int)row->id, name);
    UNPROMISED(journal_add_file(journal, &file, &err));
    file.phase = JOURNAL_PHASE_CREATING;
    PROMISED(journal_save_file(journal, &file, &err));
    file.phase = JOURNAL_PHASE_OPEN;
    snprintf(file.upload_id, sizeof file.upload_id, "upload-%d", (int)file.id);
    PROMISED(journal_save_file(journal, &file, &err));
    for (unsigned number = 1; number <= PARTS; number++) {
        struct journal_part part = {.number = number, .length = 5, .etag = "e"};

        UNPROMISED(journal_save_part(journal, file.id, &part, &err));
    }
    UNPROMISED(journal_add_history(journal, row->id, file.id, 5, "sent", &err));
    file.phase = JOURNAL_PHASE_COMPLETING;
    PROMISED(journal_save_file(journal, &file, &err));
    file.phase = JOURNAL_PHASE_NONE;
    file.upload_id[0] = 0;
    file.state = JOURNAL_FILE_UPLOADED;
    PROMISED(journal_save_file(journal, &file, &err));
    file.notice = JOURNAL_NOTICE_SENT;
    PROMISED(journal_save_file(journal, &file, &err));
    file.notice = JOURNAL_NOTICE_ACCEPTED;
    file.state = JOURNAL_FILE_SAFE;
    PROMISED(journal_save_file(journal, &file, &err));
    file.removed_at = 9;
    UNPROMISED(journal_note_removed(journal, &file, &err));
}

static void live(int i)
{
    struct journal_recording row;
    struct journal_leftover leftover;
    char directory[32];
    bool found;

    snprintf(directory, sizeof directory, "/r/%d", i);
    PROMISED(journal_claim(journal, directory, JOURNAL_HANDED_OVER, 1, &err));
    UNPROMISED(journal_begin_recording(journal, directory, "s", 1, &row, &err));
    UNPROMISED(journal_unclaim(journal, directory, JOURNAL_HANDED_OVER, &err));
    upload(&row, "1.mp4");
    row.state = JOURNAL_RECORDING_WAITING;
    row.next_try_at = 77;
    PROMISED(save_outcome(&row, false));
    PROMISED(journal_add_leftover(journal, "s3/b", directory, "id", 3, &err));
    upload(&row, "2.mp4");
    row.state = JOURNAL_RECORDING_DONE;
    PROMISED(save_outcome(&row, true));
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    PROMISED(journal_forget_leftover(journal, leftover.id, &err));
}

/* ---- the disk after a power failure ---------------------------------------------------------- */

enum survivors { NOTHING, EVERYTHING, SOME_SECTORS, VARIANTS };

struct image {
    bool there;
    size_t size;
    unsigned char bytes[MOST_BYTES];
};

static void put(struct image *image, size_t offset, const unsigned char *bytes, size_t length)
{
    if (offset + length > MOST_BYTES)
        ck_abort_msg("the journal has more than %d bytes", MOST_BYTES);
    if (offset > image->size)
        memset(image->bytes + image->size, 0, offset - image->size);
    memcpy(image->bytes + offset, bytes, length);
    image->size = offset + length > image->size ? offset + length : image->size;
}

static void apply(struct image *image, const struct event *event, struct rng *torn)
{
    switch (event->kind) {
    case WRITE:
        image->there = true;
        for (size_t done = 0; done < event->length;) {
            size_t length = SECTOR - ((size_t)event->offset + done) % SECTOR;

            if (length > event->length - done)
                length = event->length - done;
            if (!torn || rng_up_to(torn, 1))
                put(image, (size_t)event->offset + done, event->bytes + done, length);
            done += length;
        }
        break;
    case TRUNCATE:
        if ((!torn || rng_up_to(torn, 1)) && (size_t)event->offset < image->size)
            image->size = (size_t)event->offset;
        break;
    case DELETE:
        if (!torn || rng_up_to(torn, 1))
            *image = (struct image){.there = false};
        break;
    case SYNC:
        break;
    }
}

/* Writes the file as the disk has it after the first `count` events. */
static void rebuild(enum which which, size_t count, enum survivors survivors, struct rng *rng)
{
    static struct image image;
    char name[160];
    size_t synced = 0;

    memset(&image, 0, sizeof image);
    for (size_t i = 0; i < count; i++)
        if (events[i].which == which && (events[i].kind == SYNC || events[i].lasts))
            synced = i + 1;
    for (size_t i = 0; i < count; i++)
        if ((i < synced || survivors != NOTHING) && events[i].which == which)
            apply(&image, &events[i], i >= synced && survivors == SOME_SECTORS ? rng : NULL);
    snprintf(name, sizeof name, "%s%s", path, endings[which]);
    (void)unlink(name); /* a file that is cut and written again makes ext4 wait for the disk */
    if (image.there)
        unit_write(name, image.bytes, image.size);
}

/* After `count` events: what was promised by then is there, and nothing that was not begun. */
static void check(size_t count, enum survivors survivors, uint64_t seed)
{
    char found[sizeof steps[0].state], shared[160];
    size_t least = 0, most = 0;
    struct rng rng = {.state = seed + count};

    for (enum which which = DATABASE; which < FILES; which++)
        rebuild(which, count, survivors, &rng);
    snprintf(shared, sizeof shared, "%s-shm", path);
    (void)unlink(shared);
    while (most + 1 < step_count && steps[most].events <= count) {
        most++;
        if (steps[most].promised && steps[most].events <= count)
            least = most;
    }
    ck_assert_msg(journal_open(path, &journal, &err) && journal_check(journal, &err),
                  "after %zu of %zu events, %d, seed %llu: %s", count, event_count, survivors,
                  (unsigned long long)seed, err.text);
    describe(found);
    while (least < most && strcmp(found, steps[least].state))
        least++;
    ck_assert_msg(!strcmp(found, steps[least].state),
                  "after %zu of %zu events, %d, seed %llu: found\n%s\nand not\n%s", count,
                  event_count, survivors, (unsigned long long)seed, found, steps[least].state);
    journal_close(journal);
}

static bool all;

START_TEST(whatever_a_power_failure_takes_promises_are_kept)
{
    const char *given = getenv("POWER_SEED");
    uint64_t seed;
    struct rng rng;
    unsigned points = 0, tried = 0;

    rng_seed_from_system(&rng);
    seed = given ? strtoull(given, NULL, 10) : rng_next(&rng) % 1000000;
    strcpy(base, "/tmp/test_journal_power_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/journal.db", base);
    register_layer();
    recording = true;
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
    end_step(false);
    for (int i = 0; i < RECORDINGS; i++)
        live(i);
    journal_close(journal);
    recording = false;

    for (size_t i = 0; i < event_count; i++) {
        bool sync = events[i].kind == SYNC;

        if (!sync && !all)
            continue;
        points++;
        for (unsigned variant = 0; variant < (all ? 16 : VARIANTS); variant++, tried++)
            check(i, variant < SOME_SECTORS ? (enum survivors)variant : SOME_SECTORS,
                  seed + variant);
        if (sync) {
            check(i + 1, NOTHING, seed);
            tried++;
        }
    }
    printf(
        "journal and power: %u points of failure, %u disks tried, 0 promises broken (seed %llu)\n",
        points, tried, (unsigned long long)seed);
    fflush(stdout);
    unit_remove(base);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("journal_power");
    TCase *cases = tcase_create("journal_power");

    all = argc > 1 && !strcmp(argv[1], "--all");
    tcase_set_timeout(cases, all ? 3600 : 100);
    tcase_add_test(cases, whatever_a_power_failure_takes_promises_are_kept);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
