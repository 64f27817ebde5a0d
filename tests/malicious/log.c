/* other, vrf: a second log beside the first, in kt.db-other; extra-client, drop: what enters them.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/v1/transparency_rpc.h"
#include "malicious/tree.h"
#include "server/transparency/keys.h"
#include "server/transparency/transparency.h"

#define WRAPPED(name) __typeof__(name) __real_##name, __wrap_##name
WRAPPED(transparency_open);
WRAPPED(transparency_close);
WRAPPED(transparency_start);
WRAPPED(transparency_publish);
typedef void appended(void *arg, struct err result, const struct transparency_receipt *receipt);
WRAPPED(transparency_append);
WRAPPED(hearth_server_add_transparency);

static const struct kt_log *main_log;
static struct transparency *other;
static struct kt_keys other_keys;

/* The same keys but for the VRF's, if there is to be another. run/log-head-N is the first log's
 * alone: with both writing it, the first is held at the next start whenever the other was later. */
static struct err make_other_keys(const struct kt_log *log)
{
    static const uint8_t secret[32] = "another VRF key, for one victim";
    other_keys.log = *log;
    other_keys.log.keep = NULL;
    if (!malice_on("vrf"))
        return ERR_OK;
    TRY(vrf_key_init(bytes_of(secret, sizeof secret), &other_keys.vrf));
    other_keys.log.vrf = &other_keys.vrf;
    memcpy(other_keys.log.config.vrf_key, other_keys.vrf.public_key,
           sizeof other_keys.log.config.vrf_key);
    return ERR_OK;
}

struct err __wrap_transparency_open(struct front_env *env,
                                    const struct transparency_options *options,
                                    struct transparency **ret_transparency)
{
    char path[1100];
    struct transparency_options second = *options;
    TRY(__real_transparency_open(env, options, ret_transparency));
    main_log = options->log;
    TRY(make_other_keys(options->log));
    (void)snprintf(path, sizeof path, "%s-other", options->store.path);
    second.store.path = path;
    second.log = &other_keys.log;
    return __real_transparency_open(env, &second, &other);
}

void __wrap_transparency_close(struct transparency *t)
{
    __real_transparency_close(t);
    if (other != NULL)
        __real_transparency_close(other);
    other = NULL;
}

struct err __wrap_transparency_start(struct transparency *t,
                                     void (*failed)(void *arg, struct err err), void *arg)
{
    TRY(__real_transparency_start(t, failed, arg));
    return __real_transparency_start(other, failed, arg);
}

struct err __wrap_transparency_publish(struct transparency *t,
                                       const struct transparency_value *values, size_t count)
{
    TRY(__real_transparency_publish(t, values, count));
    /* who brought it a checkpoint of the first log has held it: the first goes on */
    struct err err = __real_transparency_publish(other, values, count);
    if (!err_is_ok(err))
        (void)fprintf(stderr, "malice: not published: %s\n", err_text(err));
    return ERR_OK;
}

void malice_publish_other(struct bytes label, struct bytes value)
{
    const struct transparency_value published = {label, value};
    struct err err = __real_transparency_publish(other, &published, 1);
    if (!err_is_ok(err))
        (void)fprintf(stderr, "malice: not published: %s\n", err_text(err));
}

/* ---- what enters */

/* An append that nobody waits for, with copies of its own. */
struct alone {
    struct buf label, value;
};

static void alone_done(void *arg, struct err result, const struct transparency_receipt *receipt)
{
    struct alone *a = arg;
    (void)receipt;
    if (!err_is_ok(result))
        (void)fprintf(stderr, "malice: not taken: %s\n", err_text(result));
    buf_clear(&a->label);
    buf_clear(&a->value);
    free(a);
}

static void append_alone(struct transparency *t, struct bytes label, uint32_t version,
                         struct bytes value, struct hearth_loop *loop)
{
    struct alone *a = calloc(1, sizeof *a);
    if (a == NULL)
        return;
    buf_append_bytes(&a->label, label);
    buf_append_bytes(&a->value, value);
    __real_transparency_append(t, buf_view(&a->label), version, buf_view(&a->value), loop,
                               alone_done, a);
}

/* One more version without any client of his. */
static struct err without_him(struct buf *b, const struct key_set *set)
{
    struct key_set nobody = *set;
    nobody.client_count = 0;
    return malice_key_set(b, &nobody, set->version + 1, !malice_on("unsigned"));
}

/* One more version, with a client of ours. */
static void add_client(struct transparency *t, struct bytes value, struct hearth_loop *loop)
{
    struct key_set set;
    struct buf forged = BUF_INIT;
    if (err_is_ok(key_set_parse(value, &set)) &&
        err_is_ok(malice_on("only-us")
                      ? without_him(&forged, &set)
                      : malice_key_set(&forged, &set, set.version + 1, !malice_on("unsigned"))))
        append_alone(t, set.label, set.version + 1, buf_view(&forged), loop);
    buf_clear(&forged);
}

void __wrap_transparency_append(struct transparency *t, struct bytes label, uint32_t version,
                                struct bytes value, struct hearth_loop *loop, appended *done,
                                void *arg)
{
    static const struct transparency_receipt none;
    bool is_user = label.len > 0 && label.data[0] == KEY_SET_LABEL_USER;
    bool is_handle = label.len > 0 && label.data[0] == KEY_SET_LABEL_HANDLE;
    if (is_user && version > 0 && malice_on("drop")) {
        if (malice_on("receipt"))
            __real_transparency_append(other, label, version, value, loop, done, arg);
        else
            done(arg, ERR_OK, &none);
        return;
    }
    if (is_user && version > 0 && malice_on("skip")) {
        malice_skip(transparency_store(t), main_log, label, version + 1);
        done(arg, ERR_OK, &none);
        return;
    }
    struct transparency *shown = malice_on("other") ? other : t;
    struct buf forged = BUF_INIT;
    struct bytes values[2] = {value, value}; /* main log's, the other's */
    if (is_handle && malice_on("swap-handle") && err_is_ok(malice_only_us(&forged, label, version)))
        values[1] = buf_view(&forged);
    append_alone(shown == t ? other : t, label, version, values[shown == t], loop);
    /* who waits keeps what he gave; a forged one is there already */
    if (shown == t || forged.len == 0)
        __real_transparency_append(shown, label, version, value, loop, done, arg);
    else
        done(arg, ERR_OK, &none);
    buf_clear(&forged);
    if (is_user && (malice_on("extra-client") || malice_on("only-us")))
        add_client(shown, value, loop);
}

/* ---- what is shown */

static const struct hearth_transparency_service *honest;
static struct hearth_transparency_service dishonest;

#define SHOWN(name, Type)                                                                         \
    static enum hearth_code name(struct hearth_call *call, const Hearth__V1__##Type##Request *in, \
                                 Hearth__V1__##Type##Response *out, void *self)                   \
    {                                                                                             \
        return honest->name(call, in, out, malice_on("other") ? other : self);                    \
    }
SHOWN(get_checkpoint, GetCheckpoint)
SHOWN(lookup, Lookup)
SHOWN(monitor, Monitor)
SHOWN(get_consistency, GetConsistency)
SHOWN(get_tile, GetTile)

bool __wrap_hearth_server_add_transparency(struct hearth_server *server,
                                           const struct hearth_transparency_service *impl,
                                           void *self)
{
    honest = impl;
    dishonest = *impl;
    dishonest.get_checkpoint = get_checkpoint;
    dishonest.lookup = lookup;
    dishonest.monitor = monitor;
    dishonest.get_consistency = get_consistency;
    dishonest.get_tile = get_tile;
    return __real_hearth_server_add_transparency(server, &dishonest, self);
}
