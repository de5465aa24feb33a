#include "watcher/policy.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

#define NOW        INT64_C(1700000000)
#define ORPHAN_S   600
#define QUIET_AT   (NOW - ORPHAN_S)
#define RECORDING  JOURNAL_RECORDING_RECORDING
#define WORKING    JOURNAL_RECORDING_WORKING
#define WAITING    JOURNAL_RECORDING_WAITING
#define FAILED     JOURNAL_RECORDING_FAILED
#define NOTHING    WORKER_KINDS
#define FINALIZE   WORKER_FINALIZE
#define SEND_PARTS WORKER_SEND_PARTS

static const struct settings settings = {.live_upload = true,
                                         .orphan_after_ms = ORPHAN_S * 1000,
                                         .retry_min_ms = 30000,
                                         .retry_max_ms = 3600000};

struct policy_case {
    const char *what;
    struct facts facts;
    enum worker_kind action;
    int64_t look_at;    /* 0: when something happens */
    const char *reason; /* a piece of it */
};

/* What is there, with files, and was written to just now. */
#define THERE            .exists = true, .has_files = true, .changed_at = NOW
#define QUIET            .exists = true, .has_files = true, .changed_at = QUIET_AT
#define WRITER(which)    .writer = OPEN_WRITER_##which
#define KNOWN(its_state) .known = true, .state = (its_state)

static const struct policy_case cases_of_all[] = {
    /* finished */
    {"done", {KNOWN(JOURNAL_RECORDING_DONE), QUIET}, NOTHING, 0, NULL},
    {"done, and gone", {KNOWN(JOURNAL_RECORDING_DONE)}, NOTHING, 0, NULL},
    {"given up by a person", {KNOWN(JOURNAL_RECORDING_ABANDONED), QUIET}, NOTHING, 0, NULL},
    {"given up, handed over",
     {KNOWN(JOURNAL_RECORDING_ABANDONED), QUIET, .handed_over = true},
     NOTHING,
     0,
     NULL},

    /* not there */
    {"unknown, and gone", {.known = false}, NOTHING, 0, NULL},
    {"handed over, unknown, and gone", {.handed_over = true}, NOTHING, 0, NULL},
    {"gone, before its next try",
     {KNOWN(WAITING), .next_try_at = NOW + 20},
     NOTHING,
     NOW + 20,
     NULL},
    {"gone, at its next try",
     {KNOWN(FAILED), .next_try_at = NOW},
     FINALIZE,
     0,
     "its directory is gone"},
    {"gone while it was recorded", {KNOWN(RECORDING)}, FINALIZE, 0, "its directory is gone"},
    {"gone while it was worked on, before its next try",
     {KNOWN(WORKING), .next_try_at = NOW + 20},
     NOTHING,
     NOW + 20,
     NULL},

    /* handed over */
    {"handed over", {THERE, .handed_over = true}, FINALIZE, 0, "handed over"},
    {"handed over, and known",
     {KNOWN(RECORDING), THERE, .handed_over = true, WRITER(UNKNOWN)},
     FINALIZE,
     0,
     "handed over"},
    {"handed over, before its next try",
     {KNOWN(WAITING), THERE, .handed_over = true, .next_try_at = NOW + 1000},
     FINALIZE,
     0,
     "handed over"},
    {"handed over, and worked on",
     {THERE, .handed_over = true, .locked = true},
     NOTHING,
     NOW + 2,
     NULL},
    {"handed over, and written to",
     {THERE, .handed_over = true, WRITER(THERE)},
     NOTHING,
     NOW + 2,
     NULL},

    /* being recorded */
    {"an empty directory", {.exists = true, .changed_at = QUIET_AT}, NOTHING, 0, NULL},
    {"worked on", {THERE, .locked = true, .has_parts = true}, NOTHING, NOW + 2, NULL},
    {"quiet, and worked on", {QUIET, .locked = true}, NOTHING, NOW + 2, NULL},
    {"written to, with parts", {THERE, WRITER(THERE), .has_parts = true}, SEND_PARTS, 0, NULL},
    {"known, written to, with parts",
     {KNOWN(RECORDING), THERE, WRITER(THERE), .has_parts = true},
     SEND_PARTS,
     0,
     NULL},
    {"written to, without parts", {THERE, WRITER(THERE)}, NOTHING, NOW + 2, NULL},
    {"a writer who pauses", {QUIET, WRITER(THERE)}, NOTHING, NOW + 2, NULL},
    {"a writer who pauses, with parts",
     {QUIET, WRITER(THERE), .has_parts = true},
     SEND_PARTS,
     0,
     NULL},
    {"without a writer, with parts", {THERE, .has_parts = true}, SEND_PARTS, 0, NULL},
    {"with parts that could not be sent, before the next try",
     {KNOWN(RECORDING), THERE, .has_parts = true, .next_try_at = NOW + 20},
     NOTHING,
     NOW + 20,
     NULL},
    {"with parts that could not be sent, at the next try",
     {KNOWN(RECORDING), THERE, .has_parts = true, .next_try_at = NOW},
     SEND_PARTS,
     0,
     NULL},
    {"without a writer", {THERE}, NOTHING, NOW + ORPHAN_S, NULL},
    {"a writer that cannot be told", {THERE, WRITER(UNKNOWN)}, NOTHING, NOW + 2, NULL},
    {"not quite an orphan",
     {.exists = true, .has_files = true, .changed_at = QUIET_AT + 1},
     NOTHING,
     NOW + 1,
     NULL},
    {"an orphan", {QUIET}, FINALIZE, 0, "an orphan"},
    {"an orphan with parts", {QUIET, .has_parts = true}, FINALIZE, 0, "an orphan"},
    {"an orphan, as far as one can tell", {QUIET, WRITER(UNKNOWN)}, FINALIZE, 0, "an orphan"},
    {"a known orphan", {KNOWN(RECORDING), QUIET}, FINALIZE, 0, "an orphan"},

    /* ended */
    {"worked on by the living", {KNOWN(WORKING), THERE, .locked = true}, NOTHING, NOW + 5, NULL},
    {"worked on by the dead", {KNOWN(WORKING), THERE}, FINALIZE, 0, "was stopped"},
    {"worked on by the dead, and written to",
     {KNOWN(WORKING), THERE, WRITER(THERE)},
     NOTHING,
     NOW + 30,
     NULL},
    {"before its next try",
     {KNOWN(WAITING), THERE, .next_try_at = NOW + 20},
     NOTHING,
     NOW + 20,
     NULL},
    {"at its next try", {KNOWN(WAITING), THERE, .next_try_at = NOW}, FINALIZE, 0, "is due"},
    {"behind its next try", {KNOWN(WAITING), THERE, .next_try_at = 1}, FINALIZE, 0, "is due"},
    {"a next try that was never planned", {KNOWN(WAITING), THERE}, FINALIZE, 0, "is due"},
    {"a next try behind any pause: the clock was set back",
     {KNOWN(WAITING), THERE, .next_try_at = NOW + 3602},
     FINALIZE,
     0,
     "is due"},
    {"due, and worked on",
     {KNOWN(WAITING), THERE, .next_try_at = NOW, .locked = true},
     NOTHING,
     NOW + 5,
     NULL},
    {"due, and written to",
     {KNOWN(WAITING), THERE, .next_try_at = NOW, WRITER(THERE)},
     NOTHING,
     NOW + 30,
     NULL},
    {"needs a person, before its next try",
     {KNOWN(FAILED), THERE, .next_try_at = NOW + 1800},
     NOTHING,
     NOW + 1800,
     NULL},
    {"needs a person, is due",
     {KNOWN(FAILED), THERE, .next_try_at = NOW - 1},
     FINALIZE,
     0,
     "is due"},
    {"ended, with parts: they are for the finalizer",
     {KNOWN(WAITING), THERE, .next_try_at = NOW + 20, .has_parts = true},
     NOTHING,
     NOW + 20,
     NULL},
};

#define CASES (int)(sizeof cases_of_all / sizeof cases_of_all[0])

static void assert_decision(const struct policy_case *expected,
                            const struct policy_decision *decision)
{
    ck_assert_msg(decision->worker == expected->action, "%s: action %d, not %d", expected->what,
                  (int)decision->worker, (int)expected->action);
    ck_assert_msg(decision->look_at == expected->look_at, "%s: looks at now%+lld, not now%+lld",
                  expected->what, (long long)(decision->look_at - NOW),
                  (long long)(expected->look_at - NOW));
    ck_assert_msg(!decision->reason == !expected->reason, "%s: the reason is %s", expected->what,
                  decision->reason ? decision->reason : "missing");
    if (expected->reason)
        ck_assert_msg(strstr(decision->reason, expected->reason) != NULL, "%s: %s", expected->what,
                      decision->reason);
}

START_TEST(each_state_has_its_decision)
{
    const struct policy_case *expected = &cases_of_all[_i];
    struct policy_decision decision = policy_decide(&settings, &expected->facts, NOW);

    assert_decision(expected, &decision);
}
END_TEST

START_TEST(nothing_is_sent_while_it_is_recorded_when_that_is_switched_off)
{
    struct settings off = settings;
    struct facts facts = {THERE, WRITER(THERE), .has_parts = true};

    off.live_upload = false;
    ck_assert_int_eq(policy_decide(&off, &facts, NOW).worker, NOTHING);
    ck_assert_int_eq(policy_decide(&off, &facts, NOW).look_at, NOW + 2);
    facts.writer = OPEN_WRITER_NONE;
    ck_assert_int_eq(policy_decide(&off, &facts, NOW).look_at, NOW + ORPHAN_S);
    facts.changed_at = QUIET_AT;
    ck_assert_int_eq(policy_decide(&off, &facts, NOW).worker, FINALIZE);
}
END_TEST

/* All combinations, whether they can be or not. */
START_TEST(nothing_is_begun_while_it_is_worked_on_and_nothing_is_looked_at_all_the_time)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        for (int state = 0; state <= 6; state++) {
            struct facts facts = {.known = state > 0,
                                  .state = (enum journal_recording_state)state,
                                  .next_try_at = bits & 1 ? NOW + 7 : 0,
                                  .exists = bits & 2,
                                  .has_files = bits & 4,
                                  .locked = bits & 8,
                                  .has_parts = bits & 16,
                                  .handed_over = bits & 32,
                                  .changed_at = QUIET_AT};
            struct policy_decision decision = policy_decide(&settings, &facts, NOW);

            if (facts.exists && facts.locked)
                ck_assert_int_eq(decision.worker, NOTHING);
            if (decision.worker == NOTHING)
                ck_assert(!decision.look_at || decision.look_at > NOW);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *cases = tcase_create("policy");

    tcase_add_loop_test(cases, each_state_has_its_decision, 0, CASES);
    tcase_add_test(cases, nothing_is_sent_while_it_is_recorded_when_that_is_switched_off);
    tcase_add_test(cases,
                   nothing_is_begun_while_it_is_worked_on_and_nothing_is_looked_at_all_the_time);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
