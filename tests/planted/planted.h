/* Bugs on purpose, by people who did not write the worlds (tests/flow/worlds), to see whether they
 * are found there, or else by a unit test. Functions of the server are wrapped by the linker
 * (--wrap), so what ships holds nothing of it; one bug is planted at a time, in a process of its
 * own.
 *
 * A plant is a mistake that somebody could make, not an attack: most of the time all goes well.
 */
#ifndef PLANTED_H
#define PLANTED_H

#include <stdbool.h>

enum plant {
    PLANT_NONE,
#define PLANT(set, where, name, what) PLANT_##name,
#include "planted/planted.def"
#undef PLANT
    PLANTS
};

bool plant_is(enum plant plant);
/* It did something that would not have been done. */
void plant_strikes(void);

#endif
