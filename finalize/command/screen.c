#include "finalize/command/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LEAST_COLUMNS 20u /* fewer mean that the terminal does not know its size */

void screen_look(struct screen *screen)
{
    const char *terminal = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct winsize size = {0};

    *screen = (struct screen){.terminal = isatty(STDOUT_FILENO)};
    if (!screen->terminal)
        return;
    screen->colours =
        terminal && terminal[0] && strcmp(terminal, "dumb") != 0 && !(no_colour && no_colour[0]);
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    screen->columns = size.ws_col >= LEAST_COLUMNS ? size.ws_col : 80;
    screen->rows = size.ws_row ? size.ws_row : 24;
}
