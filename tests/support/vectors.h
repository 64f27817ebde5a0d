/* Official test vectors: JSON files in $HEARTH_VECTORS, by default ../shared/vectors beside the
 * project.
 *
 * A program that reads vectors opens them first in main(), before cmocka starts; where the file is
 * missing it prints `SKIP why` and exits 77, which ctest counts as skipped. Tests with numbers of
 * their own therefore live in other programs. Every accessor fails the running test when a field is
 * missing or malformed.
 *
 *     static struct vectors file;
 *     int main(void) { vectors_open(&file, "mls/key-schedule.json"); ...cmocka_run_group_tests... }
 */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <jansson.h>

#include "base/arena.h"
#include "base/bytes.h"

struct vectors {
    json_t *root;
    struct arena arena; /* what vectors_hex handed out */
};

/* Exits the program with 77 when there is no such file, with 1 when it is not JSON. */
void vectors_open(struct vectors *v, const char *name);
void vectors_close(struct vectors *v);
/* Frees what vectors_hex handed out so far: called between cases. */
void vectors_forget(struct vectors *v);

/* A member that must be there. Borrowed from v. */
json_t *vectors_get(const json_t *object, const char *field);
/* A string of hex digits as bytes, valid until vectors_forget. */
struct bytes vectors_hex(struct vectors *v, const json_t *object, const char *field);
/* The same for an element of an array, or any string value. */
struct bytes vectors_hex_of(struct vectors *v, const json_t *value);
uint64_t vectors_uint(const json_t *object, const char *field);
const char *vectors_text(const json_t *object, const char *field);
bool vectors_has(const json_t *object, const char *field); /* present and not null */

#endif
