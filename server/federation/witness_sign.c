/* Our key as a witness, its lines, and what is handed out of them. */
#include <stdio.h>

#include "server/federation/inside.h"
#include "tlog/checkpoint.h"

static struct err witness_key(const struct front_env *env, char name[NOTE_NAME_MAX_BYTES + 1],
                              struct note_key *ret_key)
{
    struct public_key key;
    int len = snprintf(name, NOTE_NAME_MAX_BYTES + 1, "%s/witness", env->domain);
    if (len < 0 || len > NOTE_NAME_MAX_BYTES)
        return ERR(DOMAIN);
    TRY(keeper_public(env->keeper, KEEPER_WITNESS, &key));
    return note_key_make(bytes_of(name, (size_t)len), NOTE_COSIGNATURE, public_key_view(&key),
                         ret_key);
}

struct err federation_witness_key(const struct front_env *env, struct buf *b)
{
    char name[NOTE_NAME_MAX_BYTES + 1];
    struct note_key key;
    TRY(witness_key(env, name, &key));
    note_key_write(b, &key);
    return buf_check(b);
}

struct err witness_line(const struct front_env *env, struct bytes text, struct buf *line)
{
    const uint64_t time_s = clock_unix_ms(env->clock) / 1000;
    char name[NOTE_NAME_MAX_BYTES + 1];
    struct note_key key;
    struct signature signature;
    struct buf message = BUF_INIT;
    TRY(witness_key(env, name, &key));
    note_cosigned_text(&message, text, time_s);
    struct err err = buf_check(&message);
    if (err_is_ok(err))
        err = keeper_sign(env->keeper, KEEPER_WITNESS, false, bytes_of(NULL, 0), buf_view(&message),
                          &signature);
    buf_clear(&message);
    return err_is_ok(err) ? note_cosign_write(line, &key, time_s, signature_view(&signature)) : err;
}

void witness_publish(struct peer_log *log, struct bytes note, struct bytes line)
{
    struct checkpoint c;
    struct note parsed;
    if (!err_is_ok(note_parse(note, &parsed)) || !err_is_ok(checkpoint_parse(parsed.text, &c)) ||
        c.size < log->published_size)
        return;
    log->published.len = 0;
    buf_append_bytes(&log->published, note);
    buf_append_bytes(&log->published, line);
    log->published_size = c.size;
    if (!err_is_ok(buf_check(&log->published))) {
        buf_clear(&log->published);
        log->published_size = 0;
    }
}
