/* A homeserver that starts publishes the public keys of 60 tokens, each derived from its master:
 * two fifths of what worlds with many kills take. The first answer is computed, and kept for the
 * same question. The linker puts it before crypto/voprf.c (--wrap=voprf_key_derive). */
#include <pthread.h>
#include <string.h>

#include "crypto/voprf.h"

enum { KEPT = 1024, INFO_MOST = 128 }; /* 60 of one start each */

static struct kept {
    uint8_t seed[VOPRF_SEED_BYTES], info[INFO_MOST];
    size_t info_len;
    struct voprf_key key;
    bool used;
} all_kept[KEPT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__typeof__(voprf_key_derive) __real_voprf_key_derive, __wrap_voprf_key_derive;

/* Seeds are random; the information is text around a number that differs. */
static struct kept *place_of(const uint8_t *seed, struct bytes info)
{
    uint64_t at;
    memcpy(&at, seed, sizeof at);
    for (size_t i = 0; i < info.len; i++)
        at = at * 31 + info.data[i];
    return &all_kept[at % KEPT];
}

struct err __wrap_voprf_key_derive(const uint8_t seed[VOPRF_SEED_BYTES], struct bytes info,
                                   struct voprf_key *ret_key)
{
    if (info.len > INFO_MOST)
        return __real_voprf_key_derive(seed, info, ret_key);
    struct kept *k = place_of(seed, info);
    struct err err = ERR_OK;
    pthread_mutex_lock(&lock);
    if (k->used && memcmp(k->seed, seed, VOPRF_SEED_BYTES) == 0 &&
        bytes_equal(bytes_of(k->info, k->info_len), info)) {
        *ret_key = k->key;
    } else {
        err = __real_voprf_key_derive(seed, info, ret_key);
        if (err_is_ok(err)) {
            memcpy(k->seed, seed, VOPRF_SEED_BYTES);
            memcpy(k->info, info.data, info.len);
            k->info_len = info.len;
            k->key = *ret_key;
            k->used = true;
        }
    }
    pthread_mutex_unlock(&lock);
    return err;
}
