#include "finalize/lifecycle/yield.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"

#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 200u
#define CLAIM_EVERY_S 1

bool yield_is_requested(struct yield *yield, struct journal *journal, const char *directory)
{
    struct error ignored = ERROR_INIT;
    uint64_t now_ms = clock_now_ms();
    bool claimed;

    if (yield->wanted || now_ms < yield->look_again_ms)
        return yield->wanted;
    yield->look_again_ms = now_ms + LOOK_EVERY_MS;
    yield->wanted =
        journal_is_claimed(journal, directory, time(NULL), &claimed, &ignored) && claimed;
    return yield->wanted;
}

void yield_request(struct journal *journal, const char *directory, int64_t *claimed_at)
{
    struct error ignored = ERROR_INIT;
    int64_t now = time(NULL);

    if (now - *claimed_at < CLAIM_EVERY_S && now >= *claimed_at)
        return;
    if (journal_claim(journal, directory, getpid(), now, &ignored))
        *claimed_at = now;
}

void yield_withdraw(struct journal *journal, const char *directory, int64_t *claimed_at)
{
    struct error ignored = ERROR_INIT;

    if (*claimed_at && journal_unclaim(journal, directory, getpid(), &ignored))
        *claimed_at = 0; /* else it runs out by itself */
}
