/* The witness's side of C2SP tlog-witness, for logs of peers: they, or who stands for them, bring
 * what is to be cosigned, with its proof. The same rows as witness.c's own looks, by the same
 * compare-and-store (witnessed.c), so the two can't have two forks cosigned between them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "server/federation/inside.h"
#include "tlog/checkpoint.h"

enum { OK = 200, BAD = 400, NO_LOG = 404, CONFLICT = 409, OURS = 500 };

/* DOMAIN/kt/N. Under the lock; NULL: none that we would cosign. */
static struct peer_log *find_log(struct federation *f, struct bytes origin)
{
    const uint8_t *slash = origin.len > 0 ? memchr(origin.data, '/', origin.len) : NULL;
    if (slash == NULL)
        return NULL;
    struct peer *peer = peer_find(f, bytes_of(origin.data, (size_t)(slash - origin.data)));
    struct peer_log *log = peer != NULL ? peer->log : NULL;
    const bool good = log != NULL && log->has_view && log->evidence.len == 0 &&
                      policy_admits(f->policy, bytes_str(peer->domain)) &&
                      bytes_equal(kt_config_origin(&log->view.config), origin);
    return good ? log : NULL;
}

static bool find_config(struct federation *f, struct bytes origin, struct kt_config *ret_config)
{
    federation_lock(f);
    const struct peer_log *log = find_log(f, origin);
    if (log != NULL)
        *ret_config = log->view.config;
    federation_unlock(f);
    return log != NULL;
}

static int say_size(struct buf *answer, uint64_t size)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64 "\n", size);
    buf_append(answer, text, (size_t)len);
    return CONFLICT;
}

/* What was judged good becomes what was cosigned last, and then a line. */
static int cosign(struct federation *f, const struct witness_request *q, const struct note_key *key,
                  struct witnessing *w, struct buf *answer)
{
    struct buf note = BUF_INIT, line = BUF_INIT;
    struct err err = witnessed_call(f, q->checkpoint.origin, w);
    if (err.code == ERR_TLOG_CONSISTENCY || err.code == ERR_TLOG_FORK)
        return say_size(answer, w->found.size); /* somebody was faster */
    if (err_is_ok(err))
        err = checkpoint_keep(&note, q->note_bytes, key);
    if (err_is_ok(err))
        err = witness_line(f->env, q->note.text, &line);
    if (err_is_ok(err)) {
        federation_lock(f);
        struct peer_log *log = find_log(f, q->checkpoint.origin);
        if (log != NULL)
            witness_publish(log, buf_view(&note), buf_view(&line));
        federation_unlock(f);
        buf_append_bytes(answer, buf_view(&line));
    }
    buf_clear(&note);
    buf_clear(&line);
    return err_is_ok(err) ? OK : OURS;
}

static int judge(struct federation *f, const struct witness_request *q, struct buf *answer)
{
    struct witnessing w = {.federation = f};
    struct kt_config config;
    struct note_key key;
    struct bytes origin = q->checkpoint.origin;
    if (!find_config(f, origin, &config))
        return NO_LOG;
    if (q->checkpoint.extensions.len > 0)
        return BAD; /* our logs have none */
    if (!err_is_ok(kt_config_log_key(&config, &key)) ||
        !err_is_ok(witnessed_read(f, origin, &w.old)))
        return OURS;
    int status = witness_judge(q, &key, &w.old, &w.next);
    if (status == CONFLICT)
        return say_size(answer, w.old.size);
    return status == OK ? cosign(f, q, &key, &w, answer) : status;
}

int federation_witness_add(struct federation *f, struct bytes request, struct buf *answer)
{
    struct witness_request *q = calloc(1, sizeof *q); /* 4 kB */
    if (q == NULL)
        return OURS;
    int status = err_is_ok(witness_request_parse(request, q)) ? judge(f, q, answer) : BAD;
    free(q);
    return status;
}

static bool has_hash(const struct peer_log *log, struct bytes hex)
{
    static const char digits[] = "0123456789abcdef";
    struct digest d;
    char text[64];
    hash_list(&hash_sha256, BYTES_LIST(kt_config_origin(&log->view.config)), &d);
    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[d.data[i] >> 4];
        text[2 * i + 1] = digits[d.data[i] & 15];
    }
    return bytes_equal(hex, bytes_of(text, sizeof text));
}

struct err federation_witness_note(struct federation *f, struct bytes hex, struct buf *note)
{
    bool found = false;
    if (hex.len != 64)
        return ERR(NOT_FOUND);
    federation_lock(f);
    for (size_t i = 0; i < PEER_SLOTS && !found; i++)
        for (const struct peer *p = f->slots[i]; p != NULL && !found; p = p->next) {
            found = p->log != NULL && p->log->has_view && p->log->published.len > 0 &&
                    has_hash(p->log, hex);
            if (found)
                buf_append_bytes(note, buf_view(&p->log->published));
        }
    federation_unlock(f);
    return found ? buf_check(note) : ERR(NOT_FOUND);
}
