#include "finalize/turn.h"

#include "finalize/journal_schedule.h"
#include "finalize/loop.h"

#include <time.h>

#define LOOK_EVERY_MS 200u

bool turn_is_wanted(struct turn *turn, struct journal *journal, const char *directory)
{
    struct error ignored = ERROR_INIT;
    uint64_t now_ms = loop_now_ms();
    bool claimed;

    if (turn->wanted || now_ms < turn->look_again_ms)
        return turn->wanted;
    turn->look_again_ms = now_ms + LOOK_EVERY_MS;
    turn->wanted =
        journal_is_claimed(journal, directory, time(NULL), &claimed, &ignored) && claimed;
    return turn->wanted;
}
