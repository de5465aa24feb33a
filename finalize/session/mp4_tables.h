/*
 * mp4_tables - the tables of a track's samples (stts, ctts, stss, stsc, stsz, co64), made from the
 * samples as they come, in constant memory.
 *
 * The samples are given twice: at first they are counted, so that the size of each table is known;
 * then all tables are written side by side, each to its own place in the file.
 */
#pragma once

#include "finalize/session/mp4_fragment.h"

struct mp4_tables;

/* NULL without memory. `fd` is borrowed. */
struct mp4_tables *mp4_tables_new(int fd);
void mp4_tables_free(struct mp4_tables *tables);

/* The next sample of the track. False where the tables can't say it (time that goes back, too many
 * samples), and, while they are written, with errno where the file doesn't take them. */
bool mp4_tables_add(struct mp4_tables *tables, const struct mp4_sample *sample);

/* After the last sample, of either round; false as above. */
bool mp4_tables_end(struct mp4_tables *tables);

/* After the first round: how many bytes they take, when the first sample is due, and the sum of
 * the durations. */
void mp4_tables_sums(const struct mp4_tables *tables, struct mp4_track_sums *ret_sums);

/* Begins the second round: the tables go to `at` of the file. */
void mp4_tables_write_at(struct mp4_tables *tables, uint64_t at);
