#include "finalize/session/mp4_tables.h"

#include "finalize/base/read_at.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SAMPLES 200000000u /* of a track: six weeks of sound */

enum { STTS, CTTS, STSS, STSC, STSZ, CO64, TABLES };

static const struct {
    const char *type;
    uint8_t entry_bytes;
    uint8_t header_bytes;
} KINDS[TABLES] = {
    [STTS] = {"stts", 8, 16},  [CTTS] = {"ctts", 8, 16}, [STSS] = {"stss", 4, 16},
    [STSC] = {"stsc", 12, 16}, [STSZ] = {"stsz", 4, 20}, [CO64] = {"co64", 8, 16},
};

struct table {
    uint64_t entries;
    uint64_t at; /* in the file, of what `bytes` holds */
    size_t length;
    uint8_t bytes[4096];
};

/* As many of the same value in a row. */
struct repeat {
    uint64_t count;
    uint32_t value;
};

/* What one round over the samples knows. */
struct round {
    bool waiting; /* a sample's duration is known with the next one */
    uint64_t dts;
    uint32_t duration;
    struct repeat durations, shifts;
    uint64_t samples, runs, run_samples, described_samples;
};

struct mp4_tables {
    int fd;
    bool writing;
    int write_errno;
    bool unsayable;
    bool is_shifted; /* some sample is not shown when it is decoded */
    bool is_signed;  /* … but earlier */
    bool is_far;     /* … but so much later that a signed number can't say it */
    uint64_t start;  /* of the first sample */
    uint64_t duration;
    struct round round;
    struct table tables[TABLES];
};

struct mp4_tables *mp4_tables_new(int fd)
{
    struct mp4_tables *tables = calloc(1, sizeof *tables);

    if (tables)
        tables->fd = fd;
    return tables;
}

void mp4_tables_free(struct mp4_tables *tables)
{
    free(tables);
}

/* ---- one table ------------------------------------------------------------------------------- */

static bool is_needed(const struct mp4_tables *tables, size_t kind)
{
    uint64_t samples = tables->tables[STSZ].entries;

    return kind == CTTS   ? tables->is_shifted
           : kind == STSS ? tables->tables[STSS].entries != samples
                          : true;
}

static uint64_t size_of(const struct mp4_tables *tables, size_t kind)
{
    return is_needed(tables, kind)
               ? KINDS[kind].header_bytes + tables->tables[kind].entries * KINDS[kind].entry_bytes
               : 0;
}

static void flush(struct mp4_tables *tables, struct table *table)
{
    if (!tables->write_errno && table->length &&
        !write_at(tables->fd, table->bytes, table->length, table->at))
        tables->write_errno = errno;
    table->at += table->length;
    table->length = 0;
}

static void put(struct mp4_tables *tables, size_t kind, uint64_t number, size_t count)
{
    struct table *table = &tables->tables[kind];

    if (table->length + count > sizeof table->bytes)
        flush(tables, table);
    mp4_put_number(table->bytes + table->length, count, number);
    table->length += count;
}

/* An entry of `count` numbers of 32 bits; of co64 one of 64 bits. */
static void add_entry(struct mp4_tables *tables, size_t kind, const uint64_t *numbers, size_t count)
{
    if (!tables->writing)
        tables->tables[kind].entries++;
    else if (is_needed(tables, kind))
        for (size_t i = 0; i < count; i++)
            put(tables, kind, numbers[i], kind == CO64 ? 8 : 4);
}

static void begin_table(struct mp4_tables *tables, size_t kind)
{
    if (!is_needed(tables, kind))
        return;
    put(tables, kind, size_of(tables, kind), 4);
    put(tables, kind, mp4_number((const uint8_t *)KINDS[kind].type, 4), 4);
    put(tables, kind, kind == CTTS && tables->is_signed ? 0x1000000 : 0, 4);
    if (kind == STSZ)
        put(tables, kind, 0, 4); /* each has a size of its own */
    put(tables, kind, tables->tables[kind].entries, 4);
}

/* ---- samples --------------------------------------------------------------------------------- */

static void repeat_end(struct mp4_tables *tables, size_t kind, const struct repeat *repeat)
{
    if (repeat->count)
        add_entry(tables, kind, (uint64_t[]){repeat->count, repeat->value}, 2);
}

static void repeat_add(struct mp4_tables *tables, size_t kind, struct repeat *repeat,
                       uint32_t value)
{
    if (repeat->count && repeat->value != value) {
        repeat_end(tables, kind, repeat);
        repeat->count = 0;
    }
    repeat->count++;
    repeat->value = value;
}

/* The run of samples that has ended, which is a chunk: described where it is of another length than
 * the one before. */
static void end_run(struct mp4_tables *tables)
{
    struct round *round = &tables->round;

    if (round->run_samples && round->run_samples != round->described_samples) {
        add_entry(tables, STSC, (uint64_t[]){round->runs, round->run_samples, 1}, 3);
        round->described_samples = round->run_samples;
    }
    round->run_samples = 0;
}

static bool add_time(struct mp4_tables *tables, const struct mp4_sample *sample)
{
    struct round *round = &tables->round;
    uint64_t duration = sample->dts - round->dts;

    if (round->waiting) {
        if (sample->dts < round->dts || duration > UINT32_MAX)
            return false;
        /* Not what its run says: a gap between fragments, so that sound and picture stay
         * together. */
        repeat_add(tables, STTS, &round->durations, (uint32_t)duration);
    } else if (!tables->writing) {
        tables->start = sample->dts;
    }
    round->waiting = true;
    round->dts = sample->dts;
    round->duration = sample->duration;
    return true;
}

bool mp4_tables_add(struct mp4_tables *tables, const struct mp4_sample *sample)
{
    struct round *round = &tables->round;

    if (round->samples == MAX_SAMPLES || !add_time(tables, sample)) {
        tables->unsayable = true;
        return false;
    }
    round->samples++;
    if (sample->begins_run) {
        end_run(tables);
        round->runs++;
        add_entry(tables, CO64, &sample->at, 1);
    }
    round->run_samples++;
    tables->is_shifted |= sample->cts != 0;
    tables->is_signed |= sample->cts < 0;
    tables->is_far |= sample->cts > INT32_MAX;
    repeat_add(tables, CTTS, &round->shifts, (uint32_t)sample->cts);
    if (sample->sync)
        add_entry(tables, STSS, &round->samples, 1);
    add_entry(tables, STSZ, (uint64_t[]){sample->size}, 1);
    return !tables->write_errno;
}

bool mp4_tables_end(struct mp4_tables *tables)
{
    struct round *round = &tables->round;

    if (round->waiting)
        repeat_add(tables, STTS, &round->durations, round->duration);
    repeat_end(tables, STTS, &round->durations);
    repeat_end(tables, CTTS, &round->shifts);
    end_run(tables);
    if (!tables->writing && round->waiting)
        tables->duration = round->dts + round->duration - tables->start;
    for (size_t kind = 0; tables->writing && kind < TABLES; kind++)
        flush(tables, &tables->tables[kind]);
    *round = (struct round){0};
    errno = tables->write_errno;
    return !tables->write_errno && !tables->unsayable && !(tables->is_signed && tables->is_far);
}

void mp4_tables_sums(const struct mp4_tables *tables, struct mp4_track_sums *ret_sums)
{
    *ret_sums = (struct mp4_track_sums){.start = tables->start, .duration = tables->duration};
    for (size_t kind = 0; kind < TABLES; kind++)
        ret_sums->tables_bytes += size_of(tables, kind);
}

void mp4_tables_write_at(struct mp4_tables *tables, uint64_t at)
{
    tables->writing = true;
    for (size_t kind = 0; kind < TABLES; kind++) {
        tables->tables[kind].at = at;
        at += size_of(tables, kind);
    }
    for (size_t kind = 0; kind < TABLES; kind++)
        begin_table(tables, kind);
}
