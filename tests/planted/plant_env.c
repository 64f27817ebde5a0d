/* A unit test with the planted bug that $HEARTH_PLANT names, or none; of its cases that of
 * $HEARTH_CASE alone. */
#include <stdlib.h>
#include <string.h>

#include "planted/planted.h"
#include "support/test.h"

static const char *const names[PLANTS] = {
    "",
#define PLANT(set, where, name, what) #name,
#include "planted/planted.def"
#undef PLANT
};

bool plant_is(enum plant plant)
{
    static const char *chosen;
    if (chosen == NULL)
        chosen = getenv("HEARTH_PLANT");
    if (chosen == NULL)
        chosen = "";
    return plant != PLANT_NONE && strcmp(names[plant], chosen) == 0;
}

void plant_strikes(void)
{
}

__attribute__((constructor)) static void choose(void)
{
    const char *one = getenv("HEARTH_CASE");
    if (one != NULL)
        cmocka_set_test_filter(one);
}
