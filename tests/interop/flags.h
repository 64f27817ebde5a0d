/* Flags as gRPC's interoperability programs take them: --name=value, --name value, and for booleans
 * also --name and --noname. What a row does not list is refused, except flags that official scripts
 * pass to every program and that mean nothing here (default_service_account and the like).
 */
#ifndef TESTS_INTEROP_FLAGS_H
#define TESTS_INTEROP_FLAGS_H

#include <stdbool.h>

enum flag_kind { FLAG_TEXT, FLAG_BOOL, FLAG_NUMBER };

struct flag {
    const char *name; /* without dashes; the last row's is NULL */
    enum flag_kind kind;
    void *at; /* const char *, bool or unsigned */
    const char *help;
};

/* false, and the reason with all flags on stderr, when the arguments can't be read. */
bool flags_parse(int argc, char **argv, const struct flag *flags);

/* Where the test certificates lie: the path given, or `name` in the folder that the environment's
 * HEARTH_TEST_CREDS names, or the path that `variable` (or NULL) of the environment is. NULL when
 * there is none of these. Lives as long as the program. */
const char *flags_credential(const char *given, const char *name, const char *variable);

#endif
