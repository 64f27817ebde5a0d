/* Each planted bug of a set against the worlds of three homeservers, one seed after the other,
 * until one is not as it must be.
 *
 *     planted_worlds [--set S] [--first N] [--seeds K] [--plant N]    from seed N on, K at most
 *
 * Without --first from the seed that planted.def names; what that leaves to unit tests is left out
 * (planted_units.sh). The worlds that it took must hold without any, in this same program. Prints
 * the seed at which each was found and what was said of it. A bug that no world finds is a fault of
 * the worlds' oracle, and fails this test.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flow/worlds/world.h"
#include "planted/planted.h"

enum { SEEDS = 100, WORLD_S = 120, TEXT_MAX = 65536 };

static const char *const names[PLANTS] = {
    "none",
#define PLANT(set, where, name, what) what,
#include "planted/planted.def"
#undef PLANT
};
static const int sets[PLANTS] = {
    0,
#define PLANT(set, where, name, what) set,
#include "planted/planted.def"
#undef PLANT
};
/* The first seed to try; 0: it is for a unit test. */
static uint64_t first_of(enum plant plant)
{
    static const char *const where[PLANTS] = {
        "1",
#define PLANT(set, where, name, what) where,
#include "planted/planted.def"
#undef PLANT
    };
    return strtoull(where[plant], NULL, 10);
}

/* One of a child's, which says there how far it came. */
static struct {
    volatile uint64_t seed;
    volatile unsigned strikes;
} * shared;
static enum plant planted;
static uint64_t first = 1, most = SEEDS, given; /* given: by --first */

bool plant_is(enum plant plant)
{
    return plant == planted;
}

void plant_strikes(void)
{
    shared->strikes++;
}

static void worlds(void **state)
{
    static struct world world;
    static const struct world_fate fate = {.faults = true};
    (void)state;
    for (uint64_t seed = first; seed < first + most; seed++) {
        shared->seed = seed;
        (void)alarm(WORLD_S);
        world_run(&world, seed, &fate);
    }
}

/* The first fault that was said, and where, without the folders. */
static void why(FILE *said, int status, char *out, size_t room)
{
    static char text[TEXT_MAX];
    rewind(said);
    text[fread(text, 1, sizeof text - 1, said)] = '\0';
    const char *error = strstr(text, "[  ERROR   ] --- "), *told = strstr(text, "ERROR: ");
    const char *line = strstr(text, "[   LINE   ] --- ");
    const char *at = told != NULL ? told + 7 : error != NULL ? error + 17 : "?"; /* of fail_msg */
    int len = (int)strcspn(at, "\n");
    if (WIFSIGNALED(status))
        (void)snprintf(out, room, "signal %d", WTERMSIG(status));
    else
        (void)snprintf(out, room, "%.*s", len < 160 ? len : 160, at);
    if (line != NULL) {
        size_t end = strcspn(line, "\n"), from = end;
        while (from > 0 && line[from - 1] != '/')
            from--;
        int width = (int)strcspn(line + from, "\n");
        (void)snprintf(out + strlen(out), room - strlen(out), " (%.*s)", width < 60 ? width : 60,
                       line + from);
    }
}

static bool is_found(enum plant plant)
{
    char said_of_it[300] = "";
    FILE *said = tmpfile();
    struct timespec began, ended;
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    (void)fflush(stdout);
    shared->strikes = 0;
    pid_t child = said != NULL ? fork() : -1;
    if (child == 0) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(worlds)};
        planted = plant;
        if (dup2(fileno(said), 1) < 0 || dup2(fileno(said), 2) < 0)
            _exit(0);
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        (void)fflush(stdout);
        (void)fflush(stderr);
        _exit(failed != 0);
    }
    int status = 0;
    bool found = child > 0 && waitpid(child, &status, 0) == child && status != 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    if (found)
        why(said, status, said_of_it, sizeof said_of_it);
    double seconds =
        (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    const char *word = plant == PLANT_NONE ? "held" : "LOST";
    printf("%-5s  %2d  %s\n    ", found ? "found" : word, plant, names[plant]);
    if (found)
        printf("seed %llu: %s", (unsigned long long)shared->seed, said_of_it);
    else
        printf("by none of %llu worlds, in which it struck %u times", (unsigned long long)most,
               shared->strikes);
    printf("; %.1f s\n", seconds);
    if (said != NULL)
        (void)fclose(said);
    return found;
}

/* The worlds that were run with plants: those that began at the same one are one run. */
static struct {
    uint64_t first, last;
} runs[PLANTS];
static size_t run_count;

static void seen_at(uint64_t from, uint64_t seed)
{
    size_t i = 0;
    while (i < run_count && runs[i].first != from)
        i++;
    if (i == run_count)
        runs[run_count++].first = from;
    runs[i].last = seed > runs[i].last ? seed : runs[i].last;
}

int main(int argc, char **argv)
{
    int only = 0, set = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--first") == 0)
            given = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            most = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--set") == 0)
            set = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--plant") == 0)
            only = atoi(argv[i + 1]);
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    int found = 0, tried = 0, held = 0;
    for (int plant = 1; plant < PLANTS; plant++) {
        if (only != 0 ? plant != only : sets[plant] != set)
            continue;
        first = given != 0 ? given : first_of((enum plant)plant);
        if (first == 0)
            continue;
        tried++;
        found += is_found((enum plant)plant);
        seen_at(first, shared->seed);
    }
    printf("%d of %d found\n", found, tried);
    for (size_t i = 0; i < run_count; i++) {
        first = runs[i].first;
        most = runs[i].last - first + 1;
        held += !is_found(PLANT_NONE);
    }
    return found == tried && held == (int)run_count ? 0 : 1;
}
