#include "finalize/program/progress.h"

#include "config/units.h"
#include "finalize/program/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_EVERY_MS    10000u
#define STATUS_EVERY_MS  200u
#define MEASURE_EVERY_MS 1000u
#define BAR_CELLS        24u

const char *progress_text(uint64_t done_bytes, uint64_t total_bytes, double rate, char *out,
                          unsigned out_size)
{
    char done[32], total[32], per_second[32], left[32];
    unsigned percent =
        total_bytes ? (unsigned)((double)done_bytes * 100.0 / (double)total_bytes) : 100;
    uint64_t left_bytes = total_bytes > done_bytes ? total_bytes - done_bytes : 0;

    units_format_size(done_bytes, done, sizeof done);
    units_format_size(total_bytes, total, sizeof total);
    if (rate < 1) {
        snprintf(out, out_size, "%u %%, %s of %s", percent, done, total);
        return out;
    }
    units_format_size((uint64_t)rate, per_second, sizeof per_second);
    units_format_duration((uint64_t)((double)left_bytes / rate + 1) * 1000, left, sizeof left);
    snprintf(out, out_size, "%u %%, %s of %s, %s/s, %s left", percent, done, total, per_second,
             left);
    return out;
}

static unsigned terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void show_bar(uint64_t done_bytes, uint64_t total_bytes, const char *text)
{
    unsigned columns = terminal_columns();
    unsigned filled =
        total_bytes ? (unsigned)((double)done_bytes * BAR_CELLS / (double)total_bytes) : BAR_CELLS;
    char bar[BAR_CELLS + 3] = "";
    char line[200];

    if (columns > sizeof line)
        columns = sizeof line;
    if (columns > BAR_CELLS + 3 + strlen(text)) {
        bar[0] = '[';
        for (unsigned i = 0; i < BAR_CELLS; i++)
            bar[i + 1] = i < filled ? '#' : '.';
        bar[BAR_CELLS + 1] = ']';
    }
    snprintf(line, columns, "%s%s%s", bar, bar[0] ? " " : "", text);
    log_status(line);
}

static void measure(struct progress *progress, uint64_t done_bytes, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - progress->measured_ms;
    double rate;

    if (elapsed_ms < MEASURE_EVERY_MS)
        return;
    /* A part that has to be sent again takes its bytes back. */
    rate = done_bytes > progress->measured_bytes
               ? (double)(done_bytes - progress->measured_bytes) * 1000 / (double)elapsed_ms
               : 0;
    progress->rate = progress->rate > 0 ? progress->rate * 0.7 + rate * 0.3 : rate;
    progress->measured_ms = now_ms;
    progress->measured_bytes = done_bytes;
}

void progress_update(struct progress *progress, uint64_t done_bytes, uint64_t total_bytes,
                     uint64_t now_ms, const char *session_id)
{
    bool terminal = log_has_status_line();
    char text[160];

    if (!total_bytes)
        return;
    if (!progress->started)
        *progress = (struct progress){.started = true,
                                      .told_ms = now_ms,
                                      .measured_ms = now_ms,
                                      .measured_bytes = done_bytes};
    measure(progress, done_bytes, now_ms);
    if (now_ms - progress->told_ms < (terminal ? STATUS_EVERY_MS : LINE_EVERY_MS))
        return;
    progress->told_ms = now_ms;
    progress_text(done_bytes, total_bytes, progress->rate, text, sizeof text);
    if (terminal) {
        show_bar(done_bytes, total_bytes, text);
    } else {
        const struct log_field fields[] = {{"session", session_id}, {0}};

        log_line(SETTINGS_LOG_INFO, fields, "uploading: %s", text);
    }
}

void progress_end(struct progress *progress)
{
    log_status("");
    progress->started = false;
}
