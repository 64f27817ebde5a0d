/* Damaged copies of a good input: every single bit turned over, every shorter length (from both
 * ends), and one byte more. Whatever opens it must refuse each of them. */
#ifndef TESTS_SUPPORT_DAMAGE_H
#define TESTS_SUPPORT_DAMAGE_H

#include "base/bytes.h"

/* refused says whether the damaged input was turned down and nothing moved; the test fails where it
 * was not. The copy lies in memory of its own length. Bits beyond most_bits are left out (every
 * k-th is taken instead), for long inputs. */
void test_each_damage(struct bytes good, size_t most_bits,
                      bool (*refused)(void *self, struct bytes damaged), void *self);

#endif
