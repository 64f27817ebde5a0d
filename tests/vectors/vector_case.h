/* Official MLS test vectors, one file per type: what mls_vectors.c and the types share.
 *
 * A type is a row of the table in mls_vectors.c: how its files are recognised and a function that
 * checks one case. A case fails by CHECK..., which notes why and returns; it never ends the
 * program, so that every case is counted.
 */
#ifndef TESTS_VECTORS_VECTOR_CASE_H
#define TESTS_VECTORS_VECTOR_CASE_H

#include <jansson.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "crypto/suite.h"

enum { VECTOR_WHY_BYTES = 256 };

struct vector_case {
    const json_t *json; /* the case: an element of the file's top array */
    struct arena arena; /* dies with the case */
    uint64_t now;       /* seconds since 1970 for lifetimes; 0 when not given */
    bool failed;        /* sticky */
    char why[VECTOR_WHY_BYTES];
    const char *skipped; /* why this case was not checked, or NULL */
};

/* Notes the first failure only. */
void vector_fail(struct vector_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fields; a missing or malformed one fails the case and gives zero, NULL or empty. */
const json_t *vector_field(struct vector_case *c, const json_t *object, const char *name);
uint64_t vector_uint(struct vector_case *c, const json_t *object, const char *name);
struct bytes vector_hex(struct vector_case *c, const json_t *object, const char *name);
struct bytes vector_hex_of(struct vector_case *c, const json_t *value);
/* A private key of len bytes. The files drop leading zeros of P-521 scalars; these are put back. */
struct bytes vector_private_key(struct vector_case *c, const json_t *object, const char *name,
                                size_t len);
/* The field cipher_suite of the case. NULL fails the case. */
const struct suite *vector_suite(struct vector_case *c);
/* Copies and forgets the buffer; a failed one fails the case. */
struct bytes vector_take(struct vector_case *c, struct buf *b);

#define CHECK(condition)                                                 \
    do {                                                                 \
        if (!(condition)) {                                              \
            vector_fail(c, "%s:%d: %s", __FILE__, __LINE__, #condition); \
            return;                                                      \
        }                                                                \
    } while (0)
#define CHECK_OK(expression)                                                 \
    do {                                                                     \
        struct err check_err_ = (expression);                                \
        if (!err_is_ok(check_err_)) {                                        \
            vector_fail(c, "%s:%d: %s: %s", __FILE__, __LINE__, #expression, \
                        err_name(check_err_));                               \
            return;                                                          \
        }                                                                    \
    } while (0)
#define CHECK_BYTES(got, want) CHECK(bytes_equal(got, want))

/* One function per type, each in a file of its own name. */
void vector_crypto_basics(struct vector_case *c);
void vector_deserialization(struct vector_case *c);
void vector_key_schedule(struct vector_case *c);
void vector_labelled(struct vector_case *c);
void vector_message_protection(struct vector_case *c);
void vector_messages(struct vector_case *c);
void vector_passive_client(struct vector_case *c);
void vector_psk_secret(struct vector_case *c);
void vector_public_follower(struct vector_case *c);
void vector_secret_tree(struct vector_case *c);
void vector_transcript_hashes(struct vector_case *c);
void vector_tree_math(struct vector_case *c);
void vector_tree_operations(struct vector_case *c);
void vector_tree_validation(struct vector_case *c);
void vector_treekem(struct vector_case *c);
void vector_welcome(struct vector_case *c);

/* Labelled lines (labelled.c) as an array of cases like those of a JSON file. The caller owns it.
 * NULL when the file has no such line. */
json_t *vector_labelled_file(const char *path);

#endif
