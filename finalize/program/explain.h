/*
 * explain - from an error to what a person should do about it, and to the exit code.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>

/* The exit codes of jibri-finalize; those above 63 are sysexits(3). */
enum explain_exit {
    EXPLAIN_EXIT_OK = 0,
    EXPLAIN_EXIT_PERSON = 1, /* needs a person */
    EXPLAIN_EXIT_USAGE = 64,
    EXPLAIN_EXIT_NO_INPUT = 66, /* the directory is not there, or holds nothing to upload */
    EXPLAIN_EXIT_LATER = 75,    /* safe to try again later */
    EXPLAIN_EXIT_SETTINGS = 78
};

enum explain_exit explain_exit_code(const struct error *err);

/* What the states of recordings (REPORT_BIT()s) mean for the exit code of a program that looks. */
int explain_exit_code_of_states(unsigned states);

/* The worse of two exit codes: a person is needed, then later, then all is well. */
int explain_worse(int a, int b);

/* What to do next, in the imperative, with the setting to look at where there is one. A literal. */
const char *explain_advice(const struct error *err);

/* The same, but NULL where no more than the error's kind is known: for `check` and `rescue`, after
 * which nothing is tried again by itself. */
const char *explain_repair(const struct error *err);

/* Whether the advice for `err` ends in a command, to which the caller adds the recording. */
bool explain_has_command(const struct error *err);

/* What to do about a recording whose files vanished before they were in the bucket. */
#define EXPLAIN_LOST                                                          \
    "find out what removed the files, then take the recording off the list: " \
    "jibri-finalize abandon --reason TEXT"

/* explain_advice() for an error of which the text alone was kept, as the journal does. A literal.
 * *ret_has_command: it ends in a command, to which the caller adds the recording; else the caller
 * names the command, too. */
const char *explain_advice_for_text(const char *text, bool *ret_has_command);
