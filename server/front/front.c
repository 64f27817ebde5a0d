#include <stdio.h>
#include <stdlib.h>

#include "seal/at_rest.h"
#include "server/front/inside.h"

/* ---- life ---- */

static struct err prepare_prf(struct front *front)
{
    uint8_t key[32];
    TRY(rng_fill(front->env->rng, key, sizeof key));
    hmac_init(&front->prf, &hash_sha256, bytes_of(key, sizeof key));
    bytes_wipe(key, sizeof key);
    return ERR_OK;
}

static const char limits_aad[] = "front limits";

/* One storage key for two: what limits are hashed under is made from it. */
static struct err key_limits(struct front *front)
{
    uint8_t storage[KEEPER_KEY_BYTES];
    struct digest key;
    if (front->env->keeper == NULL)
        return ERR_OK;
    TRY(keeper_storage_key(front->env->keeper, KEEPER_LIMITS, storage));
    hmac_once(&hash_sha256, bytes_of(storage, sizeof storage), BYTES_LIST(bytes_str("tags")), &key);
    limits_set_key(front->limits, key.data);
    bytes_wipe(storage, sizeof storage);
    bytes_wipe(&key, sizeof key);
    return ERR_OK;
}

struct err front_save(struct front *front, struct buf *out)
{
    uint8_t key[KEEPER_KEY_BYTES];
    struct buf plain = BUF_INIT;
    if (front->env->keeper == NULL)
        return ERR(WRONG_STATE);
    TRY(keeper_storage_key(front->env->keeper, KEEPER_LIMITS, key));
    struct err err = limits_save(front->limits, &plain);
    if (err_is_ok(err))
        err = at_rest_seal(out, key, front->env->rng, bytes_str(limits_aad), buf_view(&plain));
    buf_clear(&plain);
    bytes_wipe(key, sizeof key);
    return err;
}

struct err front_load(struct front *front, struct bytes in)
{
    uint8_t key[KEEPER_KEY_BYTES];
    struct buf plain = BUF_INIT;
    if (front->env->keeper == NULL)
        return ERR(WRONG_STATE);
    TRY(keeper_storage_key(front->env->keeper, KEEPER_LIMITS, key));
    struct err err = at_rest_open(&plain, key, bytes_str(limits_aad), in);
    if (err_is_ok(err))
        err = limits_load(front->limits, buf_view(&plain));
    buf_clear(&plain);
    bytes_wipe(key, sizeof key);
    return err;
}

static struct err fill(struct front *front)
{
    const struct front_env *env = front->env;
    TRY(limits_new(env->clock, env->rng, &front->limits));
    TRY(key_limits(front));
    TRY(metrics_new(&front->metrics));
    TRY(nonce_table_init(&front->nonces, env->rng));
    return prepare_prf(front);
}

struct err front_new(struct front_env *env, const struct front_options *options,
                     struct front **ret_front)
{
    struct front *front = calloc(1, sizeof *front);
    if (front == NULL)
        return ERR(NO_MEMORY);
    if (pthread_mutex_init(&front->lock, NULL) != 0) {
        free(front);
        return ERR(NO_MEMORY);
    }
    front->env = env;
    token_keys_init(&front->token_keys);
    if (options != NULL)
        front->options = *options;
    if (front->options.prefix_bits_v4 == 0)
        front->options.prefix_bits_v4 = 32;
    if (front->options.prefix_bits_v6 == 0)
        front->options.prefix_bits_v6 = 64;
    front->began_ms = clock_unix_ms(env->clock);
    struct err err = fill(front);
    if (!err_is_ok(err)) {
        front_free(front);
        return err;
    }
    if (front->options.control)
        limits_switch_off(front->limits);
    *ret_front = env->front = front;
    return ERR_OK;
}

/* What is called here may still ask for an inbox: false when none was left. */
static bool empty_inboxes(struct front *front)
{
    bool any = false;
    for (int i = 0; i < FRONT_LOOPS; i++) {
        struct front_loop *at = atomic_load(&front->loops[i]);
        struct inbox *inbox = at != NULL ? at->inbox : NULL;
        if (inbox == NULL)
            continue;
        any = true;
        at->inbox = NULL;
        inbox_free(inbox);
    }
    return any;
}

void front_free(struct front *front)
{
    if (front == NULL)
        return;
    while (empty_inboxes(front))
        ;
    for (int i = 0; i < FRONT_LOOPS; i++) {
        struct front_loop *at = atomic_load(&front->loops[i]);
        if (at == NULL)
            break;
        hearth_loop_watch_free(at->watch);
        (void)pthread_mutex_destroy(&at->post_lock);
        free(at);
    }
    nonce_table_clear(&front->nonces);
    limits_free(front->limits);
    metrics_free(front->metrics);
    hmac_clear(&front->prf);
    token_keys_clear(&front->token_keys);
    (void)pthread_mutex_destroy(&front->lock);
    free(front);
}

struct limits *front_limits(struct front *front)
{
    return front->limits;
}

struct metrics *front_metrics(struct front *front)
{
    return front->metrics;
}

struct err front_add_keys(struct front *front, enum request_caller kind,
                          struct front_key_source source)
{
    if ((unsigned)kind >= FRONT_KINDS || source.find == NULL)
        return ERR(ARGUMENT);
    if (front->sources[kind].find != NULL)
        return ERR(WRONG_STATE);
    front->sources[kind] = source;
    return ERR_OK;
}

/* ---- tokens ---- */

void front_set_tokens(struct front *front, bool on)
{
    atomic_store(&front->tokens, on);
}

bool front_tokens(const struct front *front)
{
    return atomic_load(&front->tokens);
}

struct err front_token_key(struct front *front, uint8_t class, uint32_t period,
                           struct pass_issuer_key *ret_key)
{
    return token_keys_get(&front->token_keys, front->env->keeper, bytes_str(front->env->domain),
                          class, period, ret_key);
}

/* ---- who ---- */

uint64_t front_principal(const struct front *front, uint8_t kind, struct bytes id)
{
    uint8_t mac[32];
    uint64_t principal;
    struct hmac m = front->prf;
    hmac_update(&m, bytes_of(&kind, 1));
    hmac_update(&m, id);
    hmac_final(&m, mac);
    memcpy(&principal, mac, sizeof principal);
    return principal;
}

bool front_is_known(const struct front *front, uint64_t principal)
{
    return atomic_load_explicit(&front->known[principal % FRONT_KNOWN], memory_order_relaxed) ==
           principal;
}

void front_set_known(struct front *front, uint64_t principal)
{
    atomic_store_explicit(&front->known[principal % FRONT_KNOWN], principal, memory_order_relaxed);
}

/* ---- loops ---- */

static struct front_loop *find_loop(struct front *front, struct hearth_loop *loop, size_t *ret_end)
{
    for (size_t i = 0; i < FRONT_LOOPS; i++) {
        struct front_loop *at = atomic_load_explicit(&front->loops[i], memory_order_acquire);
        *ret_end = i;
        if (at == NULL || atomic_load_explicit(&at->loop, memory_order_relaxed) == loop)
            return at;
    }
    *ret_end = FRONT_LOOPS;
    return NULL;
}

static void loop_goes(void *self)
{
    struct front_loop *at = self;
    hearth_timer_free(at->timer);
    at->timer = NULL;
    (void)pthread_mutex_lock(&at->post_lock);
    atomic_store(&at->loop, NULL);
    (void)pthread_mutex_unlock(&at->post_lock);
}

/* Under the lock. */
static struct front_loop *add_loop(struct front *front, struct hearth_loop *loop)
{
    size_t end;
    struct front_loop *at = find_loop(front, loop, &end);
    if (at != NULL || end == FRONT_LOOPS)
        return at;
    at = calloc(1, sizeof *at);
    if (at == NULL)
        return NULL;
    at->front = front;
    atomic_init(&at->loop, loop);
    at->watch = hearth_loop_watch_new(loop, loop_goes, at);
    if (at->watch == NULL || pthread_mutex_init(&at->post_lock, NULL) != 0) {
        hearth_loop_watch_free(at->watch);
        free(at);
        return NULL;
    }
    atomic_store_explicit(&front->loops[end], at, memory_order_release);
    return at;
}

struct front_loop *front_loop_of(struct front *front, struct hearth_loop *loop)
{
    size_t end;
    struct front_loop *at = find_loop(front, loop, &end);
    if (at != NULL)
        return at;
    (void)pthread_mutex_lock(&front->lock);
    at = add_loop(front, loop);
    (void)pthread_mutex_unlock(&front->lock);
    return at;
}

/* false once the loop is gone: what it will not bring any more, inbox_free() does. */
static bool post_to_loop(void *self, void (*fn)(void *arg), void *arg)
{
    struct front_loop *at = self;
    (void)pthread_mutex_lock(&at->post_lock);
    struct hearth_loop *loop = atomic_load(&at->loop);
    bool posted = loop != NULL && hearth_loop_post(loop, fn, arg);
    (void)pthread_mutex_unlock(&at->post_lock);
    return posted;
}

struct err front_inbox(struct front *front, struct hearth_loop *loop, struct inbox **ret_inbox)
{
    struct front_loop *at = front_loop_of(front, loop);
    if (at == NULL)
        return ERR(NO_MEMORY);
    struct err err = ERR_OK;
    (void)pthread_mutex_lock(&at->post_lock);
    if (at->inbox == NULL)
        err = inbox_new((struct store_post){post_to_loop, at}, &at->inbox);
    if (err_is_ok(err))
        *ret_inbox = at->inbox;
    (void)pthread_mutex_unlock(&at->post_lock);
    return err;
}

enum front_rung front_rung(const struct front *front)
{
    unsigned highest = FRONT_CALM;
    for (size_t i = 0; i < FRONT_LOOPS; i++) {
        const struct front_loop *at = atomic_load(&front->loops[i]);
        if (at == NULL)
            break;
        unsigned rung = load_rung(at);
        highest = rung > highest ? rung : highest;
    }
    return (enum front_rung)highest;
}

enum hearth_pressure front_pressure(void *self)
{
    const struct front *front = self;
    if (front->options.control)
        return HEARTH_PRESSURE_NONE;
    enum front_rung rung = front_rung(front);
    return rung == FRONT_CLOSED    ? HEARTH_PRESSURE_FULL
           : rung >= FRONT_CAREFUL ? HEARTH_PRESSURE_HIGH
                                   : HEARTH_PRESSURE_NONE;
}

/* ---- the page ---- */

static void print_refused(const struct front *front, struct buf *page)
{
    static const char name[] = "hearthd_limit_refused_total";
    metrics_print_head(page, name, "counter", "Times a bucket of limit.def had nothing left.");
    for (int i = 0; i < LIMITS; i++) {
        char labels[96];
        const struct limit_row *row = limit_row((enum limit)i);
        if (row->per_hour == 0)
            continue;
        (void)snprintf(labels, sizeof labels, "limit=\"%.60s\"", row->name);
        metrics_print_value(page, name, labels, limit_refused(front->limits, (enum limit)i));
    }
}

static void read_gauges(struct front *front)
{
    uint64_t now_us = clock_monotonic_us(front->env->clock);
    metrics_set(front->metrics, METRIC_NONCES, nonce_table_count(&front->nonces));
    metrics_set(front->metrics, METRIC_RUNG, front_rung(front));
    metrics_set(front->metrics, METRIC_MEMORY, load_memory_bytes(front, now_us));
}

void front_each(struct front *front, void (*say)(void *to, const char *name, uint64_t value),
                void *to)
{
    read_gauges(front);
    metrics_each(front->metrics, say, to);
}

void front_page(struct front *front, struct buf *page)
{
    read_gauges(front);
    metrics_print(front->metrics, page);
    print_refused(front, page);
}
