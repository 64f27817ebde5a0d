/* Worlds from seeds.
 *
 *     world_random [--seed N] [--seeds K]                 from N on, K of them; else 200 from 1
 *     world_random --liar [...]                           one homeserver lies in all of them
 *     world_random --control NAME                         a defence is off: must be found out
 *
 * A world that is not as it must be ends the run, with its seed. HEARTH_TRACE=1 tells what happens.
 */
#include <malloc.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flow/worlds/world.h"

enum { FOUND_OUT = 3, CONTROL_SEEDS = 40, CONTROL_S = 60 };

static struct world world;
static uint64_t first = 1, count = 200;
static struct world_fate fate = {.faults = true};
static uint64_t running; /* seed */

static void run(uint64_t seed)
{
    running = seed;
    world_run(&world, seed, &fate);
    running = 0;
}

static void worlds(void **state)
{
    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++)
        run(seed);
    play_tell("worlds", &world.play.tally);
    print_message("%u faults, %u backups restored, %llu messages given up and told\n", world.faults,
                  world.restored, (unsigned long long)world.told);
    print_message("%u lies, %u items of a liar's\n", world.lied, world.lies_heard);
    assert_true((world.lied > 0 && world.lies_heard > 0) || count < WORLD_LIES_ONE_IN);
    assert_true(world.play.tally.deliveries > count);
}

static int say_seed(void **state)
{
    (void)state;
    if (running != 0)
        print_message("world_random --seed %llu --seeds 1\n", (unsigned long long)running);
    return 0;
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(worlds)};
    return cmocka_run_group_tests(tests, NULL, say_seed);
}

/* ---- controls */

static const struct {
    const char *name;
    struct world_fate fate;
} controls[] = {
    {"numbered", {.faults = true, .numbered = true}},   /* repeats can't be told */
    {"backwards", {.faults = true, .backwards = true}}, /* a batch goes last row first */
    {"versions", {.faults = true, .delivery_control = DELIVERY_NO_VERSION}}, /* two commits win */
    {"rotation", {.faults = true, .delivery_control = DELIVERY_NO_ROTATION}},
    /* one who lies is let to spoil what is between others */
    {"believed", {.faults = true, .lies = true, .believed = true}},
    {"held_up", {.faults = true, .lies = true, .held_up = true}},
    {"relaxed", {.faults = true, .relaxed = true}}, /* commits are not durable */
};

/* A child of ours runs the world, since what is wrong ends it. */
static bool fails(uint64_t seed)
{
    pid_t child = fork();
    if (child == 0) {
        first = seed;
        count = 1;
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        (void)alarm(CONTROL_S);
        _exit(run_all() != 0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child &&
           !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int run_control(const char *name)
{
    size_t i = 0;
    unsigned found = 0, seeds = 0;
    while (i < sizeof controls / sizeof *controls && strcmp(controls[i].name, name) != 0)
        i++;
    if (i == sizeof controls / sizeof *controls) {
        (void)fprintf(stderr, "no control %s\n", name);
        return 2;
    }
    fate = controls[i].fate;
    for (; seeds < CONTROL_SEEDS && found < FOUND_OUT; seeds++)
        found += fails(first + seeds);
    printf("%s: %u of %u worlds were found out\n", name, found, seeds);
    return found == FOUND_OUT ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *control = NULL;
    if (argc > 1 && strcmp(argv[1], "--liar") == 0) {
        fate.lies = true;
        argc--;
        argv++;
    }
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            count = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--control") == 0)
            control = argv[i + 1];
    }
    /* worlds come and go: their memory is kept */
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 512 << 10); /* but tables of which little is used are not */
    return control != NULL ? run_control(control) : run_all();
}
