/*
 * command - what the commands of operators begin and end with: settings, the place of the
 * recordings, the right user, messages for failures.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/command/command_line.h"
#include "finalize/command/screen.h"
#include "finalize/command/status_text.h"
#include "finalize/command/target.h"
#include "finalize/journal/journal_place.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdio.h>

enum command_needs {
    COMMAND_LOOKS, /* at this machine alone: settings of bucket and backend may be missing or wrong
                    */
    COMMAND_WORKS, /* all settings have to be right */
    COMMAND_MAY_WORK /* as COMMAND_LOOKS where they aren't: `complete` tells */
};

struct command {
    const struct command_line *line;
    struct settings settings;
    struct settings_problems problems; /* why it is not complete */
    bool complete;
    char recordings_dir[SESSION_PATH_SIZE]; /* absolute, links resolved */
    char journal[JOURNAL_PLACE_SIZE];
    struct screen screen;
    struct status_text_style style; /* of the screen */
    struct report *report;          /* from command_find() on, as the following */
    struct targets targets;         /* that the line names */
};

/*
 * Reads the settings, finds the recordings directory and the journal, and becomes the owner of the
 * former when run as root. `argument`: what a person typed, in case that it is a session directory,
 * whose parent counts where no setting says where recordings are; NULL: nothing. False when the
 * program is to end with *ret_code; the reason is printed then. To be given to command_close() in
 * any case.
 */
bool command_open(struct command *command, const struct command_line *line,
                  enum command_needs needs, const char *argument, int *ret_code)
    __attribute__((warn_unused_result));
void command_close(struct command *command);

/* Opens the report, and finds the recordings that the line names; candidates of an ambiguous name
 * are printed. */
bool command_find(struct command *command, struct error *err) __attribute__((warn_unused_result));

/* Prints the recordings that pass the filter, a row each. */
bool command_list(struct command *command, const struct report_filter *filter, struct error *err)
    __attribute__((warn_unused_result));

/* Print what `write` writes, all of it or nothing, and return the exit code. A failure is printed
 * to standard error. */
#define COMMAND_TEXT_CEILING (64u << 20)
int command_print_text(bool (*write)(void *context, struct buffer *out, struct error *err),
                       void *context);
int command_print_json(bool (*write)(void *context, FILE *out, struct error *err), void *context);

/*
 * As root: becomes the owner of the recordings directory, which is found as by command_open(). For
 * main(), whose call by Jibri has settings and words of its own.
 */
bool command_become_owner(const struct settings *settings, const char *argument, struct error *err)
    __attribute__((warn_unused_result));

/* Says on standard error why it did not work and what to do, and returns the exit code. */
int command_fail(const struct error *err);

/* The same with other words on what to do. */
int command_fail_with(const struct error *err, const char *advice);
