/* The verifiable log in a running homeserver: opened, fed by the auth service, ended. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "seal/system_keys.h"
#include "server/main/log_head.h"
#include "server/main/node_inside.h"

enum { DEVELOPMENT_EPOCH_MS = 200 };

static void log_failed(struct node *n, const char *event, struct err err)
{
    char line[256];
    (void)snprintf(line, sizeof line, "level=error event=%s why=\"%s\"", event, err_text(err));
    front_log(n->front, line);
}

/* ---- from the auth service to the log */

struct append {
    void (*done)(void *arg, struct err result, const struct auth_receipt *receipt);
    void *arg;
};

static void appended(void *arg, struct err result, const struct transparency_receipt *receipt)
{
    struct append *a = arg;
    const struct auth_receipt out = {receipt->checkpoint, receipt->proof};
    a->done(a->arg, result, &out);
    free(a);
}

static void append(void *self, struct bytes label, uint32_t version, struct bytes key_set,
                   struct hearth_loop *loop,
                   void (*done)(void *arg, struct err result, const struct auth_receipt *receipt),
                   void *arg)
{
    static const struct auth_receipt none;
    struct node *n = self;
    /* what is still under way when the log is closed runs on the back loop, as the closing does */
    struct append *a = n->transparency != NULL ? malloc(sizeof *a) : NULL;
    if (a == NULL) {
        done(arg, n->transparency != NULL ? ERR(NO_MEMORY) : ERR(STORE_STOPPED), &none);
        return;
    }
    *a = (struct append){done, arg};
    transparency_append(n->transparency, label, version, key_set, loop, appended, a);
}

static void commitment(void *self, struct bytes label, uint32_t version, struct hearth_loop *loop,
                       void (*done)(void *arg, struct err result, struct bytes commitment),
                       void *arg)
{
    struct node *n = self;
    if (n->transparency == NULL)
        done(arg, ERR(STORE_STOPPED), bytes_of(NULL, 0));
    else
        transparency_commitment(n->transparency, label, version, loop, done, arg);
}

/* ---- our own keys */

struct err node_publish_keys(void *node, const struct info_value *values, size_t count)
{
    struct node *n = node;
    struct transparency_value out[TRANSPARENCY_VALUES_MOST] = {{.value = {NULL, 0}}};
    struct buf labels[TRANSPARENCY_VALUES_MOST] = {[0] = BUF_INIT};
    if (!n->publishes)
        return ERR_OK;
    struct err err = count <= TRANSPARENCY_VALUES_MOST ? ERR_OK : ERR(TOO_LARGE);
    for (size_t i = 0; i < count && err_is_ok(err); i++) {
        system_label_write(&labels[i], values[i].name);
        out[i] = (struct transparency_value){buf_view(&labels[i]), values[i].value};
        err = buf_check(&labels[i]);
    }
    if (err_is_ok(err))
        err = transparency_publish(n->transparency, out, count);
    for (size_t i = 0; i < count && i < TRANSPARENCY_VALUES_MOST; i++)
        buf_clear(&labels[i]);
    if (!err_is_ok(err))
        log_failed(n, "keys_not_logged", err);
    return err;
}

/* ---- start and end */

static struct err keep_head(void *self, struct bytes note)
{
    const struct node *n = self;
    char name[LOG_HEAD_MAX_BYTES];
    log_head_name(n->config.transparency_number, name);
    return log_head_write(&n->folder, name, note);
}

/* Is what we have the newest there is? A log that is not must not go on; the rest of the homeserver
 * may, so this is no reason not to start. */
static struct err check_head(struct node *n)
{
    struct buf note = BUF_INIT;
    char name[LOG_HEAD_MAX_BYTES];
    const bool restored = log_restored_is(&n->folder);
    log_head_name(n->config.transparency_number, name);
    struct err err = log_head_read(&n->folder, name, &note);
    if (err_is_ok(err)) {
        err = transparency_check_outside(n->transparency, buf_view(&note));
        if (err_is_ok(err) && restored)
            err = log_restored_clear(&n->folder);
    } else if (err.code == ERR_NOT_FOUND) {
        err = ERR_OK;
        if (restored)
            transparency_hold(n->transparency);
    }
    buf_clear(&note);
    struct err held = transparency_held(n->transparency);
    if (!err_is_ok(held))
        log_failed(n, "log_held", held);
    return err_is_ok(held) ? err : ERR_OK;
}

const char *node_log_file(const struct node *n, char room[NODE_LOG_FILE_BYTES])
{
    const uint64_t number = n->config.transparency_number;
    if (number == 1)
        (void)snprintf(room, NODE_LOG_FILE_BYTES, "db/kt.db");
    else
        (void)snprintf(room, NODE_LOG_FILE_BYTES, "db/kt-%" PRIu64 ".db", number % 100000);
    return room;
}

static struct err read_witnesses(struct node *n, char why[NODE_WHY_BYTES])
{
    const struct config_list *list = &n->config.transparency_witness;
    for (size_t i = 0; i < list->count; i++) {
        struct note_key *key = &n->witnesses[i];
        struct err err = note_key_parse(bytes_str(list->values[i]), key);
        if (err.code == ERR_NONE && key->type != NOTE_COSIGNATURE)
            err = ERR(TLOG_NOTE);
        if (err.code != ERR_NONE) {
            (void)snprintf(why, NODE_WHY_BYTES, "[transparency] witness = %.200s: %s",
                           list->values[i], err_text(err));
            return err;
        }
    }
    return ERR_OK;
}

struct err node_log_head(void *node, struct buf *note, uint64_t *ret_size, uint64_t *ret_time_s)
{
    struct node *n = node;
    uint64_t ms = 0;
    TRY(transparency_head(n->transparency, note, ret_size, &ms));
    *ret_time_s = ms / 1000;
    return ERR_OK;
}

struct err node_log_cosigned(void *node, struct buf *note)
{
    struct node *n = node;
    return transparency_cosigned(n->transparency, note);
}

struct err node_open_log(struct node *n, const struct store_options *store,
                         char why[NODE_WHY_BYTES])
{
    const struct config *config = &n->config;
    TRY(kt_keys_open(&n->env, config->transparency_number, config->transparency_window_s * 1000,
                     &n->kt_keys));
    TRY(read_witnesses(n, why));
    n->kt_keys.log.keep = keep_head;
    n->kt_keys.log.keep_self = n;
    const struct transparency_options options = {
        .store = *store,
        .log = &n->kt_keys.log,
        .every_ms = config->transparency_epoch_ms > 0 ? (uint32_t)config->transparency_epoch_ms
                    : config->server_development      ? DEVELOPMENT_EPOCH_MS
                                                      : 0,
        .witnesses = n->witnesses,
        .witness_count = config->transparency_witness.count,
    };
    struct err err = transparency_open(&n->env, &options, &n->transparency);
    if (err.code == ERR_WRONG_STATE)
        (void)snprintf(why, NODE_WHY_BYTES,
                       "%.300s: the log of other keys, or of another [transparency] window_s",
                       store->path);
    else if (err.code != ERR_NONE)
        (void)snprintf(why, NODE_WHY_BYTES, "%.300s: %s", store->path, err_text(err));
    if (err.code == ERR_NONE)
        err = check_head(n);
    n->auth_log =
        (struct auth_log){append, commitment, n, kt_config_origin(&n->kt_keys.log.config)};
    return err;
}

static void failed(void *arg, struct err err)
{
    log_failed(arg, "log_failed", err);
}

void node_resume_log(void *node)
{
    struct node *n = node;
    if (n->transparency != NULL)
        auth_log_resume(n->auth, n->back);
}

static struct err start_pages(struct node *n, char *why)
{
    const char *listen = n->config.transparency_listen;
    struct err err = listen[0] == '\0'
                         ? ERR_OK
                         : log_pages_open(n->transparency, n->federation, listen, &n->log_pages);
    if (!err_is_ok(err))
        (void)snprintf(why, NODE_WHY_BYTES, "[transparency] listen %.200s: can't be used", listen);
    return err;
}

struct err node_start_log(struct node *n, char why[NODE_WHY_BYTES])
{
    n->publishes = true;
    struct err err = info_refresh(n->info); /* what can't be logged is said in the log of events */
    if (!err_is_ok(err) && err_is_ok(transparency_held(n->transparency)))
        return err;
    TRY(transparency_start(n->transparency, failed, n));
    TRY(start_pages(n, why));
    return hearth_loop_post(n->back, node_resume_log, n) ? ERR_OK : ERR(NO_MEMORY);
}

void node_close_log(struct node *n)
{
    struct transparency *t = n->transparency;
    log_pages_close(n->log_pages);
    n->log_pages = NULL;
    n->transparency = NULL; /* nobody appends any more */
    if (t != NULL)
        transparency_close(t);
}
