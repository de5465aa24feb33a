#include "watcher/policy.h"

#include "finalize/journal/schedule.h"
#include "watcher/orphan.h"

#define LOOK_WHILE_WRITTEN_S 2  /* a part takes many seconds to be written */
#define LOOK_WHILE_LOCKED_S  5  /* a lock whose holder was killed is released without an event */
#define LOOK_FOR_WRITER_S    30 /* one that keeps a finished recording open */

static struct policy_decision nothing_until(int64_t look_at)
{
    return (struct policy_decision){.worker = WORKER_KINDS, .look_at = look_at};
}

static struct policy_decision finalize(const char *reason)
{
    return (struct policy_decision){.worker = WORKER_FINALIZE, .reason = reason};
}

/* Its meeting has ended, as far as the journal knows, or its directory vanished: what can still be
 * done is the finalizer's to find out. */
static struct policy_decision decide_ended(const struct settings *settings,
                                           const struct facts *facts, int64_t now)
{
    bool stopped = facts->exists && facts->state == JOURNAL_RECORDING_WORKING;

    if (facts->locked)
        return nothing_until(now + LOOK_WHILE_LOCKED_S);
    if (facts->writer == OPEN_WRITER_THERE)
        return nothing_until(now + LOOK_FOR_WRITER_S);
    if (!stopped && !schedule_is_due(settings, facts->next_try_at, now))
        return nothing_until(facts->next_try_at);
    if (!facts->exists)
        return finalize("its directory is gone");
    return finalize(stopped ? "the process that worked on it was stopped" : "its next try is due");
}

/* Jibri said that its meeting has ended; remaining writers are waited for. */
static struct policy_decision decide_handed_over(const struct facts *facts, int64_t now)
{
    if (facts->locked || facts->writer == OPEN_WRITER_THERE)
        return nothing_until(now + LOOK_WHILE_WRITTEN_S);
    return finalize("handed over");
}

/* Jibri has not said that its meeting has ended. */
static struct policy_decision decide_recording(const struct settings *settings,
                                               const struct facts *facts, int64_t now)
{
    struct policy_decision decision = nothing_until(now + LOOK_WHILE_WRITTEN_S);

    if (!facts->has_files) /* Jibri is joining, or nothing was recorded */
        return nothing_until(0);
    if (orphan_is(settings, facts, now))
        return finalize("an orphan: it is quiet, and no finalizer was called for it");
    if (facts->locked)
        return decision;
    if (facts->writer == OPEN_WRITER_NONE)
        decision.look_at = orphan_at(settings, facts);
    if (!settings->live_upload || !facts->has_parts)
        return decision;
    if (schedule_is_due(settings, facts->next_try_at, now))
        return (struct policy_decision){.worker = WORKER_SEND_PARTS};
    if (facts->next_try_at < decision.look_at)
        decision.look_at = facts->next_try_at;
    return decision;
}

struct policy_decision policy_decide(const struct settings *settings, const struct facts *facts,
                                     int64_t now)
{
    if (facts->known &&
        (facts->state == JOURNAL_RECORDING_DONE || facts->state == JOURNAL_RECORDING_ABANDONED))
        return nothing_until(0);
    if (!facts->exists)
        return facts->known ? decide_ended(settings, facts, now) : nothing_until(0);
    if (facts->handed_over)
        return decide_handed_over(facts, now);
    if (!facts->known || facts->state == JOURNAL_RECORDING_RECORDING)
        return decide_recording(settings, facts, now);
    return decide_ended(settings, facts, now);
}
