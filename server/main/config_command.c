/* hearthd config describe|show */
#include <stdio.h>
#include <string.h>

#include "server/main/command.h"

static void describe_limits(void)
{
    printf("\n[limits]\n");
#define LIMIT_ROW(name, unit, value, least, most, reason)                               \
    printf("; %s\n; %llu to %llu %s\n%s = %llu\n", reason, (unsigned long long)(least), \
           (unsigned long long)(most), unit, #name, (unsigned long long)(value));
#define LIMIT_BUCKET(name, burst, per_hour, reason)                  \
    printf("; %s\n; a burst, and %llu an hour\n%s = %llu\n", reason, \
           (unsigned long long)(per_hour), #name, (unsigned long long)(burst));
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
}

int command_config(const struct invocation *in)
{
    if (in->argc == 1 && strcmp(in->argv[0], "describe") == 0) {
        config_describe(stdout);
        describe_limits();
        return EXIT_DONE;
    }
    if (in->argc == 1 && strcmp(in->argv[0], "show") == 0) {
        struct folder folder;
        static struct config config;
        if (command_open(in, &folder, &config).code != ERR_NONE)
            return EXIT_FAILED;
        config_write(stdout, &config, true);
        return EXIT_DONE;
    }
    (void)command_fail("hearthd config describe", "config wants one word: describe or show");
    return EXIT_USAGE;
}
