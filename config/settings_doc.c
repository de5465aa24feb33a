/*
 * settings-doc - prints a document that comes from the table of settings, for the build and for
 * the author of a change to the table.
 */
#include "config/settings.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct document {
    const char *name;
    void (*write)(FILE *out);
};

static const struct document documents[] = {
    {"example", settings_write_example},   {"markdown", settings_write_markdown},
    {"man", settings_write_man},           {"compose", settings_write_compose},
    {"template", settings_write_template},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof documents / sizeof documents[0]; i++) {
        if (strcmp(argv[1], documents[i].name) != 0)
            continue;
        documents[i].write(stdout);
        if (ferror(stdout) || fclose(stdout) != 0) {
            perror("settings-doc");
            return EX_IOERR;
        }
        return 0;
    }
    fputs("usage: settings-doc example|markdown|man|compose|template\n", stderr);
    return EX_USAGE;
}
