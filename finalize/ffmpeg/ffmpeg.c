/*
 * ffmpeg - stands before the real one in Jibri's PATH, so that recordings are written in fragments,
 * which play at any instant, whatever ends ffmpeg.
 *
 * Where the arguments are a recording (the output is *.mp4, its format is mp4, and there are no
 * -movflags), those of fragments are put before the output. Anything else, and everything with
 * CONFOMEET_CRASH_SAFE=off, goes to the real ffmpeg as it is: the next one in PATH, which replaces
 * this process (exec), so that signals, exit code and output are ffmpeg's own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many of the programs called ffmpeg in PATH were tried: another copy of this one goes on with
 * the next, so that none is started twice. */
#define TURNS "JIBRI_FINALIZE_FFMPEG"

/* What is written reaches the file at once: ffmpeg collects up to 256 KiB else, which are five
 * seconds of a still picture. */
static char *const fragments[] = {"-flush_packets", "1",
                                  "-movflags",      "+empty_moov+default_base_moof",
                                  "-frag_duration", "1000000"};
#define FRAGMENTS_COUNT (sizeof fragments / sizeof *fragments)

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);

    return length > strlen(end) && strcasecmp(text + length - strlen(end), end) == 0;
}

static bool is_switched_off(void)
{
    static const char *const words[] = {"off", "no", "false", "0"};
    const char *value = getenv("CONFOMEET_CRASH_SAFE");

    for (size_t i = 0; value && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static bool is_recording(int argc, char **argv)
{
    bool mp4 = false;

    if (argc < 4 || !ends_with(argv[argc - 1], ".mp4") || argv[argc - 1][0] == '-')
        return false;
    for (int i = 1; i < argc - 1; i++) {
        if (strncmp(argv[i], "-movflags", 9) == 0 || strncmp(argv[i], "-frag_", 6) == 0)
            return false;
        if (strcmp(argv[i], "-f") == 0)
            mp4 = strcmp(argv[i + 1], "mp4") == 0; /* the last one is the output's */
        else if (strcmp(argv[i], "-i") == 0)
            mp4 = false; /* what came before is an input's */
    }
    return mp4;
}

/* NULL without memory. */
static char **add_fragments(int argc, char **argv)
{
    char **longer = calloc((size_t)argc + FRAGMENTS_COUNT + 1, sizeof *longer);

    if (!longer)
        return NULL;
    memcpy(longer, argv, (size_t)(argc - 1) * sizeof *longer);
    memcpy(longer + argc - 1, fragments, sizeof fragments);
    longer[(size_t)argc - 1 + FRAGMENTS_COUNT] = argv[argc - 1];
    return longer;
}

static bool is_this_program(const char *path)
{
    struct stat ours, theirs;

    return stat("/proc/self/exe", &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* Becomes the next ffmpeg in PATH; returns when there is none. */
static void become_next(char **argv)
{
    const char *path = getenv("PATH"), *had = getenv(TURNS);
    unsigned long passed = had ? strtoul(had, NULL, 10) : 0, seen = 0;
    char candidate[4096], turns[32];

    for (size_t length; path; path = path[length] ? path + length + 1 : NULL) {
        length = strcspn(path, ":");
        if (snprintf(candidate, sizeof candidate, "%.*s%sffmpeg", (int)length, path,
                     length ? "/" : "./") >= (int)sizeof candidate ||
            access(candidate, X_OK) != 0 || seen++ < passed || is_this_program(candidate))
            continue;
        snprintf(turns, sizeof turns, "%lu", seen);
        if (setenv(TURNS, turns, 1) == 0)
            execv(candidate, argv);
    }
}

int main(int argc, char **argv)
{
    char **arguments = argv;

    if (!is_switched_off() && is_recording(argc, argv)) {
        arguments = add_fragments(argc, argv);
        if (!arguments)
            arguments = argv;
    }
    become_next(arguments);
    if (arguments != argv)
        free(arguments);
    fprintf(stderr, "ffmpeg: no other ffmpeg than jibri-finalize's is in PATH\n");
    return 127;
}
