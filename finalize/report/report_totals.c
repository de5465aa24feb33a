/* The states' names, and counting recordings by them. See report.h. */
#include "finalize/report/report.h"

#include <string.h>

static const char *const state_names[REPORT_STATES] = {
    [REPORT_SAFE] = "safe",           [REPORT_UPLOADING] = "uploading",
    [REPORT_RECORDING] = "recording", [REPORT_INTERRUPTED] = "interrupted",
    [REPORT_WAITING] = "waiting",     [REPORT_FAILED] = "failed",
    [REPORT_LOST] = "lost",           [REPORT_ABANDONED] = "abandoned",
    [REPORT_FOUND] = "found",
};

const char *report_state_name(enum report_state state)
{
    return state_names[state];
}

bool report_states_read(const char *text, unsigned *ret_states)
{
    unsigned states = 0, state;

    for (size_t length; text; text = text[length] ? text + length + 1 : NULL) {
        length = strcspn(text, ",");
        for (state = 0; state < REPORT_STATES; state++)
            if (strlen(state_names[state]) == length && !strncmp(text, state_names[state], length))
                break;
        if (state == REPORT_STATES)
            return false;
        states |= REPORT_BIT(state);
    }
    *ret_states = states;
    return states != 0;
}

unsigned report_states_of(const struct report_totals *totals)
{
    unsigned states = 0;

    for (unsigned i = 0; i < REPORT_STATES; i++)
        if (totals->recordings[i])
            states |= REPORT_BIT(i);
    return states;
}

static void count_waiting(struct report_totals *totals, const struct journal_recording *row)
{
    if (!totals->oldest_waiting_at || row->created_at < totals->oldest_waiting_at) {
        totals->oldest_waiting_at = row->created_at;
        memcpy(totals->waiting_for, row->last_error, sizeof totals->waiting_for);
    }
    if (row->next_try_at && (!totals->next_try_at || row->next_try_at < totals->next_try_at))
        totals->next_try_at = row->next_try_at;
}

void report_totals_add(struct report_totals *totals, const struct report_recording *recording)
{
    totals->recordings[recording->state]++;
    totals->size_bytes[recording->state] += recording->size_bytes;
    totals->held_bytes[recording->state] += recording->held_bytes;
    totals->notices_due += recording->notices_due;
    if (recording->state == REPORT_SAFE || recording->state == REPORT_ABANDONED)
        return;
    if (!totals->oldest_unsafe_at || recording->row.created_at < totals->oldest_unsafe_at)
        totals->oldest_unsafe_at = recording->row.created_at;
    if (recording->state == REPORT_WAITING || recording->state == REPORT_INTERRUPTED)
        count_waiting(totals, &recording->row);
}
