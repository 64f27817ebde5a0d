/* Two users compare what their logs show them, by voice or by a QR code (transparency.md 11).
 *
 *     SHA-256("KTL view 1" || persons, sorted || heads, sorted and each once)
 *     person = opaque label<1..2^8-1> || uint32 version || commitment[32]
 *     head   = opaque origin<1..2^8-1> || uint64 window || uint64 dist_index || log_root[32]
 *
 * The code is its first 100 bits, 20 at a time modulo 10^6: five groups of six digits. (2^20 is
 * 4.9 % more than 10^6, which costs a fraction of a bit.) Users of one homeserver have one head,
 * users of two have two, one of each origin. Both must speak of the same window; the QR code
 * carries all inputs, so that a difference can be attributed.
 */
#ifndef TLOG_COMPARE_H
#define TLOG_COMPARE_H

#include "tlog/heads.h"

enum { KT_CODE_CHARS = 34, KT_COMPARISON_MAX_BYTES = 2048 };

struct kt_person {
    struct bytes label;
    uint32_t version;
    struct hash_value commitment;
};

struct kt_comparison {
    struct kt_person persons[2];
    struct kt_head heads[2]; /* notes are not looked at */
    size_t head_count;       /* 1 or 2 */
};

/* "123456 123456 123456 123456 123456" and a zero byte. ERR_ARGUMENT for a label, an origin or
 * heads that can't be. */
CHECKED struct err kt_comparison_code(const struct kt_comparison *c,
                                      char ret_code[KT_CODE_CHARS + 1]);
/* The QR code's contents: "KTL view 1" and all inputs, sorted. */
CHECKED struct err kt_comparison_write(struct buf *b, const struct kt_comparison *c);
/* Views into in; persons and heads are sorted. */
CHECKED struct err kt_comparison_parse(struct bytes in, struct kt_comparison *ret_comparison);

enum kt_difference {
    KT_AGREE,
    KT_OTHER_WINDOW, /* nothing is wrong: one of the two must fetch a newer entry */
    KT_OTHER_KEYS,   /* a label's version or commitment differs, or other people are meant */
    KT_OTHER_LOG,    /* the log shown to one is not the log shown to the other */
};

/* Mine against what I scanned. */
enum kt_difference kt_comparison_judge(const struct kt_comparison *mine,
                                       const struct kt_comparison *theirs);

#endif
