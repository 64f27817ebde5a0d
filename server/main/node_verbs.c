/* What the operator's verbs do to a running node. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seal/credential_chain.h"
#include "seal/invitation.h"
#include "server/main/backup.h"
#include "server/main/node_inside.h"

_Static_assert(AUTH_INVITATION_BYTES == (int)INVITATION_CODE_BYTES, "invitation.h");

void node_log(void *self, const char *line)
{
    (void)self;
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL && strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        (void)fprintf(stderr, "ts=%s %s\n", when, line);
}

static uint64_t uptime_s(void *self)
{
    struct node *n = self;
    return (clock_monotonic_us(n->env.clock) - n->started_us) / 1000000;
}

static bool draining(void *self)
{
    struct node *n = self;
    (void)pthread_mutex_lock(&n->lock);
    bool is = n->draining;
    (void)pthread_mutex_unlock(&n->lock);
    return is;
}

/* ---- numbers */

static void say_store(const char *service, struct store *store,
                      void (*say)(void *to, const char *name, uint64_t value), void *to)
{
    const struct store_stats s = store_stats(store);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"transactions", s.transactions}, {"commits", s.groups},  {"rows", s.rows},
        {"refused", s.refused},           {"waiting", s.waiting}, {"log_bytes", s.log_bytes},
        {"low_disk", s.low_disk},         {"stopped", s.stopped},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "store_%s_%s", service, numbers[i].name);
        say(to, name, numbers[i].value);
    }
}

void node_metrics(void *node, void (*say)(void *to, const char *name, uint64_t value), void *to)
{
    struct node *n = node;
    front_each(n->front, say, to);
    const struct courier_stats courier = courier_stats(n->courier);
    say(to, "courier_delivered", courier.delivered);
    say(to, "courier_gone", courier.gone);
    say(to, "courier_refused", courier.refused);
    say(to, "courier_later", courier.later);
    say(to, "courier_lost", courier.lost);
    say(to, "courier_waiting", courier.waiting);
    say_store("auth", auth_store(n->auth), say, to);
    say_store("queue", queue_store(n->queue), say, to);
    say_store("delivery", delivery_store(n->delivery), say, to);
    say_store("attachment", attachment_store(n->attachment), say, to);
    say_store("federation", federation_store(n->federation), say, to);
    say_store("kt", transparency_store(n->transparency), say, to);
    say(to, "log_held", !err_is_ok(transparency_held(n->transparency)));
    jobs_each(n->jobs, say, to);
}

/* ---- verbs */

struct err node_invite(struct node *n, unsigned count, unsigned days,
                       void (*say)(void *to, const char *text), void *to)
{
    struct buf codes = BUF_INIT, root = BUF_INIT;
    struct invitation invitation = {.domain = ""};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    struct err err = keeper_credential(n->env.keeper, KEEPER_AS_ROOT, &root);
    if (err.code == ERR_NONE)
        err = auth_invite(n->auth, count, days, &codes);
    if (err.code == ERR_NONE) {
        credential_fingerprint(buf_view(&root), fingerprint);
        (void)snprintf(invitation.domain, sizeof invitation.domain, "%s", n->env.domain);
        memcpy(invitation.pin, fingerprint, INVITATION_PIN_BYTES);
    }
    for (size_t at = 0; err.code == ERR_NONE && at < codes.len; at += INVITATION_CODE_BYTES) {
        char text[INVITATION_TEXT_MAX_BYTES];
        memcpy(invitation.code, codes.data + at, INVITATION_CODE_BYTES);
        invitation_write(&invitation, text);
        say(to, text);
    }
    buf_clear(&codes);
    buf_clear(&root);
    return err;
}

static struct err invite(void *self, unsigned count, unsigned days,
                         void (*say)(void *to, const char *text), void *to)
{
    return node_invite(self, count, days, say, to);
}

void node_end(struct node *n, uint32_t grace_s)
{
    (void)pthread_mutex_lock(&n->lock);
    n->grace_s = grace_s;
    (void)pthread_mutex_unlock(&n->lock);
    (void)kill(getpid(), SIGTERM); /* blocked everywhere: node_wait() takes it */
}

static void drain(void *self, uint32_t grace_s)
{
    node_end(self, grace_s);
}

struct err node_backup(struct node *n, const char *folder, uint64_t *ret_bytes,
                       char ret_why[NODE_WHY_BYTES])
{
    char log_file[NODE_LOG_FILE_BYTES];
    const struct backup_part parts[] = {
        {"db/delivery.db", delivery_store(n->delivery)},
        {"db/queue.db", queue_store(n->queue)},
        {"db/auth.db", auth_store(n->auth)},
        {"db/attachment.db", attachment_store(n->attachment)},
        {"db/federation.db", federation_store(n->federation)},
        {node_log_file(n, log_file), transparency_store(n->transparency)},
    };
    char within[FOLDER_PATH_MAX];
    if (!folder_path(&n->folder, FOLDER_BACKUPS, within))
        return ERR(TOO_LARGE);
    size_t len = strlen(within);
    if (n->confined && (strncmp(folder, within, len) != 0 || folder[len] != '/')) {
        (void)snprintf(
            ret_why, NODE_WHY_BYTES,
            "%.200s: a confined server writes backups below %.200s alone ([server] confine)",
            folder, within);
        return ERR(ARGUMENT);
    }
    return backup_make(folder, n->env.domain, parts, sizeof parts / sizeof parts[0], ret_bytes,
                       ret_why);
}

static struct err backup(void *self, const char *folder, uint64_t *ret_bytes,
                         char ret_why[ADMIN_WHY_BYTES])
{
    if (folder[0] != '/') {
        (void)snprintf(ret_why, ADMIN_WHY_BYTES, "the folder's path must be absolute");
        return ERR(ARGUMENT);
    }
    return node_backup(self, folder, ret_bytes, ret_why);
}

static void fingerprint_of(const struct public_key *key, uint8_t ret_fingerprint[32])
{
    struct digest digest;
    hash_once(&hash_sha256, public_key_view(key), &digest);
    memcpy(ret_fingerprint, digest.data, 32);
}

static struct err rotate(void *self, enum keeper_signer signer, bool anyway,
                         uint8_t ret_fingerprint[32])
{
    struct node *n = self;
    struct keeper *keeper = n->env.keeper;
    struct public_key key;
    if (signer == KEEPER_AS_SIGNING)
        TRY(auth_rotate(n->auth));
    else
        TRY(anyway ? keeper_rotate_anyway(keeper, signer) : keeper_rotate(keeper, signer));
    TRY(info_refresh(n->info));
    TRY(keeper_public(n->env.keeper, signer, &key));
    fingerprint_of(&key, ret_fingerprint);
    return ERR_OK;
}

static struct err rotate_queue_key(void *self, bool anyway, uint8_t ret_fingerprint[32])
{
    struct node *n = self;
    struct public_key key;
    TRY(anyway ? keeper_rotate_queue_key_anyway(n->env.keeper)
               : keeper_rotate_queue_key(n->env.keeper));
    TRY(info_refresh(n->info));
    TRY(keeper_queue_key(n->env.keeper, &key));
    fingerprint_of(&key, ret_fingerprint);
    return ERR_OK;
}

struct admin_verbs node_verbs(struct node *node)
{
    return (struct admin_verbs){
        .self = node,
        .uptime_s = uptime_s,
        .draining = draining,
        .metrics = node_metrics,
        .invite = invite,
        .reload = node_reload,
        .drain = drain,
        .backup = backup,
        .rotate = rotate,
        .rotate_queue_key = rotate_queue_key,
        .statistics = node_statistics,
        .user_show = node_user_show,
        .user_suspend = node_user_suspend,
        .user_remove = node_user_remove,
        .report_list = node_report_list,
        .report_read = node_report_read,
        .report_drop = node_report_drop,
        .peers = node_peers,
        .log_head = node_log_head,
        .log_cosigned = node_log_cosigned,
        .witness_key = node_witness_key,
        .peer_retry = node_peer_retry,
        .peer_drop = node_peer_drop,
        .peer_accept = node_peer_accept,
    };
}
