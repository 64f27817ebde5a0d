/* A keeper in a process of its own: the server's side. Callers take turns: the child answers one
 * request at a time anyway, so what is lost by waiting is one wake-up each. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/keeper/frame.h"
#include "server/keeper/keeper_process.h"
#include "wire/writer.h"

enum {
    ANSWER_SECONDS = 10, /* a child that says nothing for so long is as good as dead */
    END_MS = 2000,       /* for writing its file to the end */
};

struct remote {
    struct keeper keeper; /* first */
    pthread_mutex_t lock;
    int socket;
    pid_t child;
    bool gone;
    struct buf request, reply;
};

static struct remote *enter(struct keeper *keeper, enum frame_verb verb)
{
    struct remote *k = (struct remote *)keeper;
    pthread_mutex_lock(&k->lock);
    wire_write_u8(&k->request, (uint8_t)verb);
    return k;
}

static void leave(struct remote *k)
{
    frame_reset(&k->request);
    frame_reset(&k->reply);
    pthread_mutex_unlock(&k->lock);
}

/* Whatever went wrong, requests and replies may be out of step from here on. */
static struct err lost(struct remote *k)
{
    k->gone = true;
    (void)shutdown(k->socket, SHUT_RDWR);
    return ERR(KEEPER_GONE);
}

/* An err_code of the child's. */
static struct err read_code(struct wire_reader *r)
{
    uint16_t code = wire_read_u16(r);
    if (code >= ERR_CODE_COUNT) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return ERR(KEEPER_GONE);
    }
    return (struct err){(enum err_code)code};
}

/* Sends what k->request holds; ret_reader stands behind the code. The error is the verb's. */
static struct err exchange(struct remote *k, struct wire_reader *ret_reader)
{
    TRY(buf_check(&k->request));
    if (k->gone)
        return ERR(KEEPER_GONE);
    struct err err = frame_send(k->socket, buf_view(&k->request));
    if (err_is_ok(err))
        err = frame_receive(k->socket, &k->reply);
    if (!err_is_ok(err))
        return lost(k);
    *ret_reader = wire_reader_of(buf_view(&k->reply));
    err = read_code(ret_reader);
    return err_is_ok(wire_reader_check(ret_reader)) ? err : lost(k);
}

/* The rest of the reply must be as expected. */
static struct err finish(struct remote *k, const struct wire_reader *r)
{
    return err_is_ok(wire_reader_end(r)) ? ERR_OK : lost(k);
}

/* Ends a call whose reply is a signature. */
static struct err take_signature(struct remote *k, struct signature *ret_signature)
{
    struct wire_reader r;
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes signature = wire_read_vector(&r);
        err = signature.len > 0 && signature.len <= SIGNATURE_MAX_BYTES ? finish(k, &r) : lost(k);
        if (err_is_ok(err)) {
            memcpy(ret_signature->data, signature.data, signature.len);
            ret_signature->len = signature.len;
        }
    }
    leave(k);
    return err;
}

static struct err remote_sign(struct keeper *keeper, enum keeper_signer signer, bool mls,
                              struct bytes label, struct bytes content,
                              struct signature *ret_signature)
{
    struct remote *k = enter(keeper, FRAME_SIGN);
    wire_write_u8(&k->request, (uint8_t)signer);
    wire_write_present(&k->request, mls);
    wire_write_vector(&k->request, label);
    wire_write_vector(&k->request, content);
    return take_signature(k, ret_signature);
}

static struct err remote_sign_external(struct keeper *keeper, struct bytes public_key,
                                       struct bytes label, struct bytes content,
                                       struct signature *ret_signature)
{
    struct remote *k = enter(keeper, FRAME_SIGN_EXTERNAL);
    wire_write_vector(&k->request, public_key);
    wire_write_vector(&k->request, label);
    wire_write_vector(&k->request, content);
    return take_signature(k, ret_signature);
}

static bool read_external(struct wire_reader *r, struct keeper_external *ret_key)
{
    ret_key->scheme = wire_read_u16(r);
    ret_key->present = wire_read_present(r);
    struct bytes key = wire_read_vector(r);
    if (key.len == 0 || key.len > sizeof ret_key->key.data)
        return false;
    memcpy(ret_key->key.data, key.data, key.len);
    ret_key->key.len = key.len;
    return true;
}

static struct err remote_external_keys(struct keeper *keeper, struct keeper_external *ret_keys,
                                       size_t *ret_count)
{
    struct wire_reader r;
    size_t count = 0;
    struct remote *k = enter(keeper, FRAME_EXTERNAL_KEYS);
    struct err err = exchange(k, &r);
    while (err_is_ok(err) && wire_reader_more(&r)) {
        if (count == KEEPER_EXTERNAL_KEYS || !read_external(&r, &ret_keys[count]))
            err = lost(k);
        count++;
    }
    if (err_is_ok(err))
        err = finish(k, &r);
    if (err_is_ok(err))
        *ret_count = count;
    leave(k);
    return err;
}

/* Ends a call whose reply is a public key. */
static struct err take_key(struct remote *k, struct public_key *ret_key)
{
    struct wire_reader r;
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes key = wire_read_vector(&r);
        err = key.len > 0 && key.len <= PUBLIC_KEY_MAX_BYTES ? finish(k, &r) : lost(k);
        if (err_is_ok(err)) {
            memcpy(ret_key->data, key.data, key.len);
            ret_key->len = key.len;
        }
    }
    leave(k);
    return err;
}

static struct err remote_public(struct keeper *keeper, enum keeper_signer signer,
                                struct public_key *ret_key)
{
    struct remote *k = enter(keeper, FRAME_PUBLIC);
    wire_write_u8(&k->request, (uint8_t)signer);
    return take_key(k, ret_key);
}

static struct err remote_queue_key(struct keeper *keeper, struct public_key *ret_key)
{
    return take_key(enter(keeper, FRAME_QUEUE_KEY), ret_key);
}

static struct err remote_credential(struct keeper *keeper, enum keeper_signer signer, struct buf *b)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_CREDENTIAL);
    wire_write_u8(&k->request, (uint8_t)signer);
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes credential = wire_read_vector(&r);
        err = finish(k, &r);
        if (err_is_ok(err)) {
            buf_append_bytes(b, credential);
            err = buf_check(b);
        }
    }
    leave(k);
    return err;
}

static struct err remote_rotate(struct keeper *keeper, unsigned what, bool anyway)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_ROTATE);
    wire_write_u8(&k->request, (uint8_t)what);
    wire_write_present(&k->request, anyway);
    struct err err = exchange(k, &r);
    if (err_is_ok(err))
        err = finish(k, &r);
    leave(k);
    return err;
}

static struct err open_some(struct keeper *keeper, const struct bytes *sealed, size_t count,
                            struct queue_ref *ret_refs, struct err *ret_results)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_OPEN_REFS);
    for (size_t i = 0; i < count; i++) /* too long ones are answered for here */
        wire_write_vector(&k->request,
                          sealed[i].len <= SEALED_REF_MAX_BYTES ? sealed[i] : bytes_of(NULL, 0));
    struct err err = exchange(k, &r);
    for (size_t i = 0; err_is_ok(err) && i < count; i++) {
        ret_results[i] = read_code(&r);
        if (err_is_ok(ret_results[i]))
            frame_read_ref(&r, &ret_refs[i]);
        if (sealed[i].len > SEALED_REF_MAX_BYTES)
            ret_results[i] = ERR(WIRE_LIMIT);
    }
    if (err_is_ok(err))
        err = finish(k, &r);
    leave(k);
    return err;
}

static struct err remote_open_refs(struct keeper *keeper, const struct bytes *sealed, size_t count,
                                   struct queue_ref *ret_refs, struct err *ret_results)
{
    for (size_t from = 0; from < count; from += FRAME_REFS_MAX) {
        size_t left = count - from;
        TRY(open_some(keeper, sealed + from, left < FRAME_REFS_MAX ? left : FRAME_REFS_MAX,
                      ret_refs + from, ret_results + from));
    }
    return ERR_OK;
}

static struct err remote_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                                     uint8_t *ret_key)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_STORAGE_KEY);
    wire_write_u8(&k->request, (uint8_t)purpose);
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes key = wire_read_fixed(&r, KEEPER_KEY_BYTES);
        err = finish(k, &r);
        if (err_is_ok(err))
            memcpy(ret_key, key.data, KEEPER_KEY_BYTES);
    }
    leave(k);
    return err;
}

static struct err remote_token_key(struct keeper *keeper, uint8_t class, uint32_t period,
                                   bool private_half, uint8_t *ret_key)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_TOKEN_KEY);
    wire_write_u8(&k->request, class);
    wire_write_u32(&k->request, period);
    wire_write_present(&k->request, private_half);
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes key = wire_read_fixed(&r, KEEPER_KEY_BYTES);
        err = finish(k, &r);
        if (err_is_ok(err))
            memcpy(ret_key, key.data, KEEPER_KEY_BYTES);
    }
    leave(k);
    return err;
}

static struct err remote_voucher_wrap(struct keeper *keeper, uint8_t class, uint32_t week,
                                      struct bytes pkcs8, struct buf *wrapped)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_VOUCHER_WRAP);
    wire_write_u8(&k->request, class);
    wire_write_u32(&k->request, week);
    wire_write_vector(&k->request, pkcs8);
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes key = wire_read_vector(&r);
        err = finish(k, &r);
        if (err_is_ok(err)) {
            buf_append_bytes(wrapped, key);
            err = buf_check(wrapped);
        }
    }
    leave(k);
    return err;
}

static struct err remote_voucher_sign(struct keeper *keeper, uint8_t class, uint32_t week,
                                      struct bytes wrapped, const uint8_t *blinded,
                                      uint8_t *ret_signature)
{
    struct wire_reader r;
    struct remote *k = enter(keeper, FRAME_VOUCHER_SIGN);
    wire_write_u8(&k->request, class);
    wire_write_u32(&k->request, week);
    wire_write_fixed(&k->request, bytes_of(blinded, BLIND_RSA_BYTES));
    wire_write_vector(&k->request, wrapped);
    struct err err = exchange(k, &r);
    if (err_is_ok(err)) {
        struct bytes signature = wire_read_fixed(&r, BLIND_RSA_BYTES);
        err = finish(k, &r);
        if (err_is_ok(err))
            memcpy(ret_signature, signature.data, BLIND_RSA_BYTES);
    }
    leave(k);
    return err;
}

/* The child ends when its socket does; one that does not (it is stopped, or stuck) is killed. */
static void end_child(const struct remote *k)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    if (k->gone)
        (void)kill(k->child, SIGKILL);
    for (int waited_ms = 0; waited_ms < END_MS; waited_ms += 5) {
        pid_t ended = waitpid(k->child, NULL, WNOHANG);
        if (ended == k->child || (ended < 0 && errno != EINTR))
            return;
        (void)nanosleep(&moment, NULL);
    }
    (void)kill(k->child, SIGKILL);
    while (waitpid(k->child, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void remote_close(struct keeper *keeper)
{
    struct remote *k = (struct remote *)keeper;
    if (k->socket >= 0) {
        (void)shutdown(k->socket, SHUT_RDWR);
        close(k->socket);
    }
    if (k->child > 0)
        end_child(k);
    buf_clear(&k->request);
    buf_clear(&k->reply);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static const struct keeper_ops remote_ops = {
    .sign = remote_sign,
    .public_of = remote_public,
    .credential = remote_credential,
    .rotate = remote_rotate,
    .external_keys = remote_external_keys,
    .sign_external = remote_sign_external,
    .queue_key = remote_queue_key,
    .open_refs = remote_open_refs,
    .storage_key = remote_storage_key,
    .token_key = remote_token_key,
    .voucher_wrap = remote_voucher_wrap,
    .voucher_sign = remote_voucher_sign,
    .close = remote_close,
};

/* The child's life. Its first frame says how opening went. */
static _Noreturn void child_main(int socket, const char *path, struct bytes domain)
{
    struct keeper *keeper = NULL;
    socket = keeper_process_begin(socket);
    if (socket < 0)
        _exit(2);
    struct err err = keeper_open(path, domain, &clock_system, &rng_system, &keeper);
    if (err_is_ok(err))
        err = keeper_confine(keeper);
    uint8_t code[2] = {(uint8_t)(err.code >> 8), (uint8_t)err.code};
    struct err sent = frame_send(socket, bytes_of(code, sizeof code));
    if (err_is_ok(err) && err_is_ok(sent))
        err = keeper_serve(socket, keeper);
    keeper_close(keeper);
    _exit(err_is_ok(err) ? 0 : 1);
}

static struct err wait_for_child(struct remote *k)
{
    struct err err = frame_receive(k->socket, &k->reply);
    if (!err_is_ok(err)) {
        k->gone = true;
        return ERR(IO);
    }
    struct wire_reader r = wire_reader_of(buf_view(&k->reply));
    err = read_code(&r);
    frame_reset(&k->reply);
    return err;
}

static struct err start_child(struct remote *k, const char *path, struct bytes domain)
{
    int ends[2];
    const struct timeval most = {.tv_sec = ANSWER_SECONDS};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR(IO);
    k->socket = ends[0];
    if (setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) != 0 ||
        setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) != 0) {
        close(ends[1]);
        return ERR(IO);
    }
    k->child = fork();
    if (k->child == 0)
        child_main(ends[1], path, domain);
    close(ends[1]);
    return k->child < 0 ? ERR(IO) : wait_for_child(k);
}

struct err keeper_spawn(const char *path, struct bytes domain, struct keeper **ret_keeper)
{
    struct remote *k = calloc(1, sizeof *k);
    if (k == NULL)
        return ERR(NO_MEMORY);
    if (pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        return ERR(NO_MEMORY);
    }
    k->keeper.ops = &remote_ops;
    k->socket = -1;
    k->request.limit = k->reply.limit = FRAME_MAX_BYTES;
    struct err err = start_child(k, path, domain);
    if (err_is_ok(err))
        *ret_keeper = &k->keeper;
    else
        remote_close(&k->keeper);
    return err;
}
