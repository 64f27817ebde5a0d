/* Inside tests/support/house: time that passes by itself. */
#ifndef TESTS_SUPPORT_HOUSE_VISIT_H
#define TESTS_SUPPORT_HOUSE_VISIT_H

#include "support/house/house.h"

/* Lets the loop run for so long; 0: what can be done without waiting. */
void house_wait_ms(struct house *h, uint64_t ms);

#endif
