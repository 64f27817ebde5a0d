#include "server/main/notifier.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "net/address.h"

enum {
    TIMEOUT_MS = 5000,
    CONNECT_MS = 3000,
    POLL_MS = 1000,
    RECENT = 4096,
    URL_BYTES = PUSH_TOKEN_MAX_BYTES + 1,
    BODY_BYTES = 1024
};

/* One push under way. */
struct push {
    struct push *next;
    CURL *easy;
    bool webhook;     /* to the operator's own, wherever that is */
    bool any_address; /* development, or webhook */
    char url[URL_BYTES];
    char body[BODY_BYTES];
};

struct waiting {
    uint8_t sealed[PUSH_TOKEN_MAX_BYTES + 2 + AT_REST_OVERHEAD_BYTES];
    uint8_t key[PUSH_TOKEN_KEY_BYTES];
};

struct notifier {
    bool development;
    const struct clock *clock;
    CURLM *multi;
    struct curl_slist *headers;
    pthread_t thread;
    struct push *pushes; /* under way; the thread's own */
    unsigned under_way;
    pthread_mutex_t lock; /* guards what follows */
    enum notifier_mode mode;
    char webhook[URL_BYTES];
    bool stop;
    struct waiting *ring; /* NOTIFIER_WAITING */
    unsigned first, count;
    struct {
        uint64_t token; /* hash */
        uint64_t at_us;
    } recent[RECENT]; /* by hash: what was pushed lately */
    uint64_t salt;
    struct notifier_counts counts;
};

/* ---- where a push may go */

/* Asked for each address that a name had: a name in public DNS may point inside. */
static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *to)
{
    const struct push *push = self;
    struct address at = {.len = to->addrlen};
    bool allowed = push->any_address;
    if (!allowed && to->addrlen <= sizeof at.storage) {
        memcpy(&at.storage, &to->addr, to->addrlen);
        allowed = address_is_public(&at);
    }
    if (purpose != CURLSOCKTYPE_IPCXN || !allowed)
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t drop_answer(char *data, size_t size, size_t count, void *self)
{
    (void)data;
    (void)self;
    return size * count;
}

/* ---- pushing, on the thread */

static void encode(const struct buf *token, char *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (size_t i = 0; i < token->len && at + 5 < size; i += 3) {
        uint32_t left = (uint32_t)(token->len - i);
        uint32_t word = (uint32_t)token->data[i] << 16 |
                        (left > 1 ? (uint32_t)token->data[i + 1] << 8 : 0) |
                        (left > 2 ? token->data[i + 2] : 0U);
        out[at++] = digits[word >> 18];
        out[at++] = digits[word >> 12 & 63];
        out[at++] = left > 1 ? digits[word >> 6 & 63] : '=';
        out[at++] = left > 2 ? digits[word & 63] : '=';
    }
    out[at] = '\0';
}

/* False: not something that can be pushed to. */
static bool fill_push(struct notifier *n, const struct buf *token, struct push *push)
{
    (void)pthread_mutex_lock(&n->lock);
    push->webhook = n->mode == NOTIFIER_WEBHOOK;
    if (push->webhook)
        (void)snprintf(push->url, sizeof push->url, "%s", n->webhook);
    (void)pthread_mutex_unlock(&n->lock);
    push->any_address = n->development || push->webhook;
    if (push->webhook) {
        char text[BODY_BYTES - 32];
        encode(token, text, sizeof text);
        (void)snprintf(push->body, sizeof push->body, "{\"token\":\"%s\"}", text);
        bytes_wipe(text, sizeof text);
        return true;
    }
    bool is_url = token->len > 8 && token->len < URL_BYTES &&
                  memchr(token->data, '\0', token->len) == NULL &&
                  (memcmp(token->data, "https://", 8) == 0 ||
                   (n->development && memcmp(token->data, "http://", 7) == 0));
    if (!is_url)
        return false;
    memcpy(push->url, token->data, token->len);
    (void)snprintf(push->body, sizeof push->body, "wake");
    return true;
}

static bool set_up(struct notifier *n, struct push *push)
{
    CURL *easy = push->easy;
    const char *protocols = push->any_address ? "http,https" : "https";
    return curl_easy_setopt(easy, CURLOPT_URL, push->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, push->body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, n->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_answer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, push) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, push) == CURLE_OK;
}

static void push_free(struct push *push)
{
    if (push->easy != NULL)
        curl_easy_cleanup(push->easy);
    bytes_wipe(push, sizeof *push);
    free(push);
}

static void count(struct notifier *n, uint64_t *which)
{
    (void)pthread_mutex_lock(&n->lock);
    ++*which;
    (void)pthread_mutex_unlock(&n->lock);
}

static void begin(struct notifier *n, const struct waiting *w)
{
    struct buf token = {.limit = PUSH_TOKEN_MAX_BYTES};
    struct push *push = calloc(1, sizeof *push);
    bool good =
        push != NULL &&
        push_token_open(&token, w->key, bytes_of(w->sealed, sizeof w->sealed)).code == ERR_NONE &&
        fill_push(n, &token, push) && (push->easy = curl_easy_init()) != NULL && set_up(n, push) &&
        curl_multi_add_handle(n->multi, push->easy) == CURLM_OK;
    buf_clear(&token);
    if (good) {
        push->next = n->pushes;
        n->pushes = push;
        n->under_way++;
        return;
    }
    count(n, &n->counts.failed);
    if (push != NULL)
        push_free(push);
}

static void finish(struct notifier *n)
{
    int left = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(n->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct push *push = NULL;
        long answer = 0;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &push);
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &answer);
        bool good = m->data.result == CURLE_OK && answer >= 200 && answer < 300;
        for (struct push **at = &n->pushes; *at != NULL; at = &(*at)->next) {
            if (*at == push) {
                *at = push->next;
                break;
            }
        }
        (void)curl_multi_remove_handle(n->multi, push->easy);
        push_free(push);
        n->under_way--;
        count(n, good ? &n->counts.pushed : &n->counts.failed);
    }
}

static bool take(struct notifier *n, struct waiting *ret_waiting)
{
    (void)pthread_mutex_lock(&n->lock);
    bool some = n->count > 0 && n->under_way < NOTIFIER_AT_ONCE;
    if (some) {
        *ret_waiting = n->ring[n->first];
        bytes_wipe(&n->ring[n->first], sizeof n->ring[0]);
        n->first = (n->first + 1) % NOTIFIER_WAITING;
        n->count--;
    }
    (void)pthread_mutex_unlock(&n->lock);
    return some;
}

static bool is_stopped(struct notifier *n)
{
    (void)pthread_mutex_lock(&n->lock);
    bool stop = n->stop;
    (void)pthread_mutex_unlock(&n->lock);
    return stop;
}

static void *work(void *arg)
{
    struct notifier *n = arg;
    struct waiting next;
    while (!is_stopped(n)) {
        while (take(n, &next))
            begin(n, &next);
        bytes_wipe(&next, sizeof next);
        int running = 0;
        if (curl_multi_perform(n->multi, &running) == CURLM_OK)
            (void)curl_multi_poll(n->multi, NULL, 0, POLL_MS, NULL);
        finish(n);
    }
    return NULL;
}

/* ---- the door */

/* Pushed a moment ago? Tokens are remembered by hash; two of one place in the table push each other
 * out, which only means a push too many. */
static bool is_quiet(struct notifier *n, struct bytes sealed, uint64_t now_us)
{
    struct digest digest;
    uint64_t token = 0;
    hash_list(&hash_sha256, BYTES_LIST(bytes_of(&n->salt, sizeof n->salt), sealed), &digest);
    memcpy(&token, digest.data, sizeof token);
    size_t at = token % RECENT;
    bool quiet = n->recent[at].token == token &&
                 now_us - n->recent[at].at_us < (uint64_t)NOTIFIER_QUIET_S * 1000000;
    if (!quiet) {
        n->recent[at].token = token;
        n->recent[at].at_us = now_us;
    }
    return quiet;
}

void notifier_notify(void *self, struct bytes sealed_push_token, struct bytes push_token_key)
{
    struct notifier *n = self;
    bool wake = false;
    (void)pthread_mutex_lock(&n->lock);
    if (n->mode == NOTIFIER_OFF) {
        /* nobody is woken */
    } else if (sealed_push_token.len != sizeof n->ring[0].sealed ||
               push_token_key.len != PUSH_TOKEN_KEY_BYTES) {
        n->counts.failed++;
    } else if (is_quiet(n, sealed_push_token, clock_monotonic_us(n->clock))) {
        n->counts.quiet++;
    } else if (n->count == NOTIFIER_WAITING) {
        n->counts.dropped++;
    } else {
        struct waiting *w = &n->ring[(n->first + n->count) % NOTIFIER_WAITING];
        memcpy(w->sealed, sealed_push_token.data, sizeof w->sealed);
        memcpy(w->key, push_token_key.data, sizeof w->key);
        n->count++;
        wake = true;
    }
    (void)pthread_mutex_unlock(&n->lock);
    if (wake)
        (void)curl_multi_wakeup(n->multi);
}

struct err notifier_new(const struct notifier_options *options, const struct clock *clock,
                        struct notifier **ret_notifier)
{
    struct notifier *n = calloc(1, sizeof *n);
    if (n == NULL)
        return ERR(NO_MEMORY);
    *n = (struct notifier){.development = options->development, .clock = clock};
    (void)pthread_mutex_init(&n->lock, NULL);
    notifier_change(n, options);
    struct err err = rng_fill(&rng_system, &n->salt, sizeof n->salt);
    n->ring = calloc(NOTIFIER_WAITING, sizeof *n->ring);
    bool ready = err.code == ERR_NONE && n->ring != NULL &&
                 curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    n->multi = ready ? curl_multi_init() : NULL;
    n->headers = ready ? curl_slist_append(NULL, "Content-Type: application/octet-stream") : NULL;
    if (n->multi == NULL || n->headers == NULL || pthread_create(&n->thread, NULL, work, n) != 0) {
        n->stop = true; /* no thread to be waited for */
        if (n->multi != NULL)
            (void)curl_multi_cleanup(n->multi);
        curl_slist_free_all(n->headers);
        free(n->ring);
        free(n);
        return err.code != ERR_NONE ? err : ERR(NO_MEMORY);
    }
    *ret_notifier = n;
    return ERR_OK;
}

void notifier_change(struct notifier *n, const struct notifier_options *options)
{
    (void)pthread_mutex_lock(&n->lock);
    n->mode = options->mode;
    (void)snprintf(n->webhook, sizeof n->webhook, "%s",
                   options->webhook != NULL ? options->webhook : "");
    (void)pthread_mutex_unlock(&n->lock);
}

void notifier_free(struct notifier *n)
{
    if (n == NULL)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->stop = true;
    (void)pthread_mutex_unlock(&n->lock);
    (void)curl_multi_wakeup(n->multi);
    (void)pthread_join(n->thread, NULL);
    while (n->pushes != NULL) {
        struct push *push = n->pushes;
        n->pushes = push->next;
        (void)curl_multi_remove_handle(n->multi, push->easy);
        push_free(push);
    }
    (void)curl_multi_cleanup(n->multi);
    curl_slist_free_all(n->headers);
    bytes_wipe(n->ring, NOTIFIER_WAITING * sizeof *n->ring);
    free(n->ring);
    (void)pthread_mutex_destroy(&n->lock);
    free(n);
}

struct notifier_counts notifier_counts(struct notifier *n)
{
    (void)pthread_mutex_lock(&n->lock);
    struct notifier_counts counts = n->counts;
    (void)pthread_mutex_unlock(&n->lock);
    return counts;
}
