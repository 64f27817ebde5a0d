/* The limits of limit.def, kept as token buckets by principal, in memory, bounded: HMAC(day key,
 * row, principal) -> bucket. Every row has name, unit, default, range and reason; `hearthd config
 * describe` and docs/limits.md print them.
 *
 * The table has room for LIMIT_TABLE_SLOTS buckets of 32 bytes (touched as they are used). A bucket
 * that is full again says nothing and makes room for another; one that is not is never forgotten:
 * where no room is found limit_take() answers ERR_FRONT_OVERLOAD, and the caller decides what that
 * means (threats.md: closed, but for acknowledging and listening). The key changes every day and
 * is not kept, so the table can't be matched with another day's; buckets move over as they are
 * used.
 *
 * Time is the monotonic clock's: order and limits never depend on wall time (S3). A restart fills
 * all buckets. Thread-safe: a few locks, each held for one look into the table.
 */
#ifndef SERVER_LIMIT_H
#define SERVER_LIMIT_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"

enum limit {
#define LIMIT_ROW(name, unit, value, least, most, reason) LIMIT_##name,
#define LIMIT_BUCKET(name, burst, per_hour, reason)       LIMIT_##name,
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
    LIMITS
};

enum { LIMIT_TABLE_SLOTS = 1 << 18, LIMIT_SAVE_S = 600, LIMIT_KEY_BYTES = 32 };
#define LIMIT_RETRY_NEVER UINT32_MAX

/* A row as data, for what prints or reads configuration. */
struct limit_row {
    const char *name; /* "SEND_LEAF" */
    const char *unit; /* "" where it counts things; buckets count what their reason says */
    uint64_t value;   /* default; of a bucket: the burst */
    uint64_t least, most;
    uint64_t per_hour; /* of a bucket at its default burst; 0: a plain row */
    const char *reason;
};
const struct limit_row *limit_row(enum limit limit);

struct limits;
/* clock and rng are borrowed. ERR_NO_MEMORY, or the rng's. */
CHECKED struct err limits_new(const struct clock *clock, const struct rng *rng,
                              struct limits **ret_limits);
void limits_free(struct limits *limits); /* NULL is fine */
/* Operator's values. ERR_ARGUMENT outside the row's range or without such a row. For buckets: the
 * burst; the rate scales. May be called while others take. */
CHECKED struct err limits_set(struct limits *limits, const char *name, uint64_t value);
/* The default of every row, or this operator's value where name is given: all rows at once, so that
 * a row whose value was taken back has its default again. count names and values; ERR_ARGUMENT as
 * above, ret_wrong says at which, and then nothing has changed. */
struct limit_setting {
    const char *name;
    uint64_t value;
};
CHECKED struct err limits_set_all(struct limits *limits, const struct limit_setting *settings,
                                  size_t count, size_t *ret_wrong);
/* Tests: limit_take() always succeeds, for control runs. */
void limits_switch_off(struct limits *limits);

/* Long windows (DoS2's day, DoS5's uploads) outlive the process: a key that does, too (the keeper's
 * KEEPER_LIMITS; random otherwise), to be set before anything is taken; */
void limits_set_key(struct limits *limits, const uint8_t key[LIMIT_KEY_BYTES]);
/* appends what was spent in buckets that need more than LIMIT_SAVE_S to be full again: tags and
 * amounts, some 24 bytes each; */
CHECKED struct err limits_save(struct limits *limits, struct buf *out);
/* and takes it up again, less what came back since by the wall clock (nothing when that was set
 * back). Rows that are no more are dropped. Wire errors, and then nothing was taken up. */
CHECKED struct err limits_load(struct limits *limits, struct bytes in);

/* A plain row's value, or the burst of a bucket row. */
uint64_t limit_value(const struct limits *limits, enum limit limit);
/* Takes cost credits of a bucket row; cost 0 asks whether there is anything at all left. ERR_LIMIT,
 * and nothing taken, with the seconds until they are there: at least 1, LIMIT_RETRY_NEVER when cost
 * is over the burst. ERR_FRONT_OVERLOAD: no room in the table; ret is 1 then. ret_retry_after_s is
 * written only on failure and may be NULL. principal: any bytes. */
CHECKED struct err limit_take(struct limits *limits, enum limit limit, struct bytes principal,
                              uint32_t cost, uint32_t *ret_retry_after_s);
/* What one principal has spent of a bucket row counts as spent by the other, too: for whoever goes
 * on under another name. Where the table has no room for that nothing happens. */
void limit_inherit(struct limits *limits, enum limit limit, struct bytes from, struct bytes to);
/* How often a bucket row had nothing left, since the start. */
uint64_t limit_refused(const struct limits *limits, enum limit limit);

#endif
