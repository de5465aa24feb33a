/* command_wait - jibri-finalize wait: until nothing is pending. */
#include "config/units.h"
#include "finalize/base/clock.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "finalize/report/report.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_MS 1000u

struct wait {
    uint64_t timeout_ms; /* UINT64_MAX: none */
    struct command command;
    struct report_totals totals;
    bool warned;
};

/* ---- one look -------------------------------------------------------------------------------- */

static bool look(struct wait *wait, struct error *err)
{
    const struct report_filter filter = {.joining = true};
    const struct report_visitor none = {0};

    return report_each(wait->command.report, &filter, time(NULL), &none, &wait->totals, err);
}

static unsigned count_pending(const struct wait *wait)
{
    unsigned count = 0;

    for (unsigned i = 0; i < REPORT_STATES; i++)
        count += REPORT_BIT(i) & REPORT_IS_PENDING ? wait->totals.recordings[i] : 0;
    return count;
}

/* "3 not safe yet: 1 uploading, 2 waiting", on the terminal's line that changes. */
static void say_status(const struct wait *wait)
{
    const char *separator = "";
    struct buffer text, line;

    if (!log_has_status_line())
        return;
    buffer_init(&text, 1024);
    buffer_init(&line, 1024);
    buffer_append_format(&text, "%u not safe yet: ", count_pending(wait));
    for (unsigned i = 0; i < REPORT_STATES; i++) {
        if (!(REPORT_BIT(i) & REPORT_IS_PENDING) || !wait->totals.recordings[i])
            continue;
        buffer_append_format(&text, "%s%u %s", separator, wait->totals.recordings[i],
                             report_state_name((enum report_state)i));
        separator = ", ";
    }
    text_column_append(&line, buffer_text(&text),
                       (wait->command.screen.columns ? wait->command.screen.columns : 80) - 1);
    log_status(buffer_text(&line));
    buffer_done(&line);
    buffer_done(&text);
}

/* Nothing works on what is pending, and no watcher will start. */
static void warn_of_no_worker(struct wait *wait)
{
    const unsigned at_work = REPORT_BIT(REPORT_UPLOADING) | REPORT_BIT(REPORT_RECORDING);

    if (wait->warned || report_watcher(wait->command.report) != 0 ||
        report_states_of(&wait->totals) & at_work)
        return;
    wait->warned = true;
    fprintf(stderr,
            "jibri-finalize: no watcher runs, and no process works on what is pending; what to "
            "do: jibri-finalize retry --all\n");
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Lists what is in one of `states`. */
static void list(struct wait *wait, unsigned states)
{
    const struct report_filter filter = {.states = states, .joining = true};
    struct error ignored = ERROR_INIT;

    if (!command_list(&wait->command, &filter, &ignored))
        error_clear(&ignored);
}

static int say_left(struct wait *wait, bool stopped)
{
    char count[32];

    list(wait, REPORT_IS_PENDING | REPORT_NEEDS_PERSON);
    fprintf(stderr,
            "jibri-finalize: %s with %s not safe yet; what to do: wait longer, or see "
            "jibri-finalize status\n",
            stopped ? "stopped" : "the time is over",
            units_format_count(count_pending(wait), "recording", count, sizeof count));
    return EXPLAIN_EXIT_LATER;
}

static int say_end(struct wait *wait)
{
    char count[32];

    if (!(report_states_of(&wait->totals) & REPORT_NEEDS_PERSON)) {
        printf("nothing is pending\n");
        return EXPLAIN_EXIT_OK;
    }
    list(wait, REPORT_NEEDS_PERSON);
    fprintf(stderr,
            "jibri-finalize: nothing is pending, but a person is needed for %s; what to do: see "
            "jibri-finalize status --failed\n",
            units_format_count(wait->totals.recordings[REPORT_FAILED] +
                                   wait->totals.recordings[REPORT_LOST],
                               "recording", count, sizeof count));
    return EXPLAIN_EXIT_PERSON;
}

static int wait_for_all(struct wait *wait)
{
    uint64_t began_ms = clock_now_ms(), elapsed_ms = 0;
    struct error err = ERROR_INIT;
    struct program_stop stop;
    bool ok;

    program_stop_open(&stop);
    while ((ok = look(wait, &err)) && count_pending(wait) && !program_stop_requested(&stop) &&
           (elapsed_ms = clock_now_ms() - began_ms) < wait->timeout_ms) {
        struct pollfd fd = {.fd = stop.fd, .events = POLLIN};
        uint64_t left_ms = wait->timeout_ms - elapsed_ms;

        warn_of_no_worker(wait);
        say_status(wait);
        (void)poll(&fd, 1, (int)(left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS));
    }
    log_status("");
    if (!ok)
        return command_fail(&err);
    return count_pending(wait) ? say_left(wait, stop.requested) : say_end(wait);
}

int command_wait(const struct command_line *line)
{
    struct wait wait = {.timeout_ms = UINT64_MAX};
    const char *timeout = command_line_value(line, "timeout");
    struct error err = ERROR_INIT;
    int code;

    if (timeout && !units_parse_duration(timeout, 1000, &wait.timeout_ms))
        return command_line_misused(
            line, "--timeout wants a duration as in 90s, 10min or 2h, not %s", timeout);
    if (line->count)
        return command_line_misused(line, "it waits for all recordings and takes none by name");
    if (command_open(&wait.command, line, COMMAND_LOOKS, NULL, &code))
        code = command_find(&wait.command, &err) ? wait_for_all(&wait) : command_fail(&err);
    command_close(&wait.command);
    return code;
}
