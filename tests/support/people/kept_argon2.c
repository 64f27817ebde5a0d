/* Each kill in these tests begins a life that hashes the same handles and passphrases again, 90 ms
 * each: most of what the tests took. The first answer is computed, and kept for the same question.
 * The linker puts it before crypto/argon2.c (--wrap=argon2id). */
#include <pthread.h>
#include <string.h>

#include "crypto/argon2.h"
#include "support/people/people.h"

enum { KEPT = 64, PASSWORD_MOST = 256, OUT_MOST = 64 };

static struct kept {
    uint8_t password[PASSWORD_MOST], salt[ARGON2_SALT_BYTES], out[OUT_MOST];
    size_t password_len, out_len;
} all_kept[KEPT];
static size_t next_kept; /* the oldest gives way */
static unsigned long asked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__typeof__(argon2id) __real_argon2id, __wrap_argon2id;

static bool find(struct bytes password, const uint8_t salt[ARGON2_SALT_BYTES], size_t len,
                 uint8_t *ret_out)
{
    for (size_t i = 0; i < KEPT; i++) {
        const struct kept *k = &all_kept[i];
        if (k->out_len == len && bytes_equal(bytes_of(k->password, k->password_len), password) &&
            memcmp(k->salt, salt, ARGON2_SALT_BYTES) == 0) {
            memcpy(ret_out, k->out, len);
            return true;
        }
    }
    return false;
}

struct err __wrap_argon2id(struct bytes password, const uint8_t salt[ARGON2_SALT_BYTES], size_t len,
                           uint8_t *ret_out)
{
    if (len == 0 || len > OUT_MOST || password.len > PASSWORD_MOST)
        return __real_argon2id(password, salt, len, ret_out);
    pthread_mutex_lock(&lock);
    asked++;
    struct err err = ERR_OK;
    if (!find(password, salt, len, ret_out)) {
        err = __real_argon2id(password, salt, len, ret_out);
        if (err_is_ok(err)) {
            struct kept *k = &all_kept[next_kept++ % KEPT];
            k->password_len = password.len;
            k->out_len = len;
            if (password.len > 0)
                memcpy(k->password, password.data, password.len);
            memcpy(k->salt, salt, ARGON2_SALT_BYTES);
            memcpy(k->out, ret_out, len);
        }
    }
    pthread_mutex_unlock(&lock);
    return err;
}

unsigned long people_argon2(void)
{
    pthread_mutex_lock(&lock);
    unsigned long n = asked;
    pthread_mutex_unlock(&lock);
    return n;
}
