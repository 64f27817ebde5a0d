/* Requests to the keeper's process: whatever comes is answered or refused; the answer of a request
 * is no longer than a frame. */
#include <stdlib.h>

#include "base/clock.h"
#include "server/keeper/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct keeper *keeper;
    static struct rng_seeded seeded;
    static struct rng rng;
    if (keeper == NULL) {
        rng_seeded_init(&seeded, 1);
        rng = rng_of_seeded(&seeded);
        if (!err_is_ok(keeper_open(NULL, bytes_str("a.example"), &clock_system, &rng, &keeper)))
            abort();
    }
    struct buf reply = {.limit = FRAME_MAX_BYTES};
    struct err err = frame_answer(keeper, bytes_of(data, len), &reply);
    if (err_is_ok(err) && (reply.len < 2 || reply.failed))
        abort();
    buf_clear(&reply);
    return 0;
}
