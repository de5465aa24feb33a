/*
 * screen - the terminal that a program writes to, if it is one.
 */
#pragma once

#include <stdbool.h>

struct screen {
    bool terminal;    /* standard output is one */
    bool colours;     /* and it shows colours: neither NO_COLOR is set nor TERM is "dumb" */
    unsigned columns; /* 0: no terminal, lines have no end */
    unsigned rows;    /* 0: no terminal */
};

void screen_look(struct screen *screen);
