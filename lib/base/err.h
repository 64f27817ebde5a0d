/* The one result type.
 *
 * A struct, so that the compiler refuses to mix it with a count or a boolean; functions that return
 * it are marked CHECKED, so that it can't be dropped. All codes stand in err.def with class, gRPC
 * status and text.
 *
 *     CHECKED struct err thing_parse(struct bytes in, struct thing *ret_thing);
 *     TRY(thing_parse(in, &thing));
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#define CHECKED __attribute__((warn_unused_result))
/* For large arrays on hot paths that are filled before they are read: the compiler would zero them
 * first. */
#define FILLED_LATER __attribute__((uninitialized))

enum err_code {
#define ERR_ROW(name, class, grpc, retry, text) ERR_##name,
#include "base/err.def"
#undef ERR_ROW
    ERR_CODE_COUNT
};

struct err {
    enum err_code code;
};

/* Who has to do something about it. Decides log level and reply. */
enum err_class {
    ERR_CLASS_NONE,
    ERR_CLASS_CALLER, /* the caller sent what it may not */
    ERR_CLASS_PEER,   /* the other side of a connection misbehaved */
    ERR_CLASS_LATER,  /* a limit or a passing state; trying later may succeed */
    ERR_CLASS_OURS,   /* our fault or our machine's */
};

#define ERR(name) ((struct err){ERR_##name})
#define ERR_OK    ((struct err){ERR_NONE})

#define TRY(expression)                     \
    do {                                    \
        struct err try_err_ = (expression); \
        if (try_err_.code != ERR_NONE)      \
            return try_err_;                \
    } while (0)

/* For exit ladders: remembers the error in `err` and jumps. */
#define TRY_OR(expression, err, label) \
    do {                               \
        (err) = (expression);          \
        if ((err).code != ERR_NONE)    \
            goto label;                \
    } while (0)

static inline bool err_is_ok(struct err e)
{
    return e.code == ERR_NONE;
}

const char *err_name(struct err e); /* "NO_MEMORY" */
const char *err_text(struct err e); /* one sentence for a person */
enum err_class err_class_of(struct err e);
int err_grpc_status(struct err e); /* 0 to 16 */
bool err_retry(struct err e);      /* may the same request succeed later? */

#endif
