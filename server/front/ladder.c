#include "server/front/ladder.h"

/* The highest rung whose marks, as `share` of a hundred, are reached. */
static enum front_rung rung_for(const struct ladder_marks *marks, uint64_t lag_us,
                                uint64_t memory_bytes, unsigned share)
{
    enum front_rung rung = FRONT_CALM;
    for (unsigned i = FRONT_CAREFUL; i <= FRONT_CLOSED; i++) {
        uint64_t lag_mark = (marks->lag_us << (i - 1)) / 100 * share;
        uint64_t memory_mark = marks->memory_bytes / 1000 * (9 + i) * share;
        if (lag_us >= lag_mark || memory_bytes >= memory_mark)
            rung = (enum front_rung)i;
    }
    return rung;
}

enum front_rung ladder_sample(struct ladder *ladder, const struct ladder_marks *marks,
                              uint64_t lag_us, uint64_t memory_bytes, uint64_t now_us)
{
    enum front_rung wanted = rung_for(marks, lag_us, memory_bytes, 100);
    ladder->high = wanted > ladder->rung ? ladder->high + 1 : 0;
    if (ladder->high >= LADDER_UP) {
        ladder->rung++; /* one at a time: the next samples say whether it helped */
        ladder->high = 0;
        ladder->high_us = now_us;
    }
    if (rung_for(marks, lag_us, memory_bytes, 75) >= ladder->rung)
        ladder->high_us = now_us;
    if (ladder->rung != FRONT_CALM && now_us - ladder->high_us >= LADDER_DOWN_US) {
        ladder->rung--;
        ladder->high_us = now_us;
    }
    return ladder->rung;
}
