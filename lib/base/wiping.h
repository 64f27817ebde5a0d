/* malloc for libraries that hold what people say and do not wipe it when they let go (ME4): what is
 * freed is overwritten first. Costs the overwriting: some 10 ns for small pieces. Thread-safe.
 */
#ifndef BASE_WIPING_H
#define BASE_WIPING_H

#include <stddef.h>

void *wiping_realloc(void *old, size_t len); /* wipes what it moves away from */
void wiping_free(void *data);                /* NULL is fine */

#endif
