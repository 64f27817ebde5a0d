#include "malicious/malice.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool malice_on(const char *word)
{
    const char *path = getenv("HEARTH_MALICE");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[128];
    bool found = false;
    if (file == NULL)
        return false;
    while (!found && fscanf(file, "%127s", line) == 1)
        found = strcmp(line, word) == 0;
    (void)fclose(file);
    return found;
}

static struct sig_key the_key;

static void make_key(void)
{
    static const uint8_t seed[32] = "the key of a malicious operator";
    if (!err_is_ok(sig_key_init(&sig_ed25519, bytes_of(seed, sizeof seed), &the_key)))
        abort();
}

const struct sig_key *malice_key(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_key);
    return &the_key;
}

/* Sorts before and after every real one: ids of clients are random. */
static const uint8_t our_id[16] = {0};

struct err malice_key_set(struct buf *b, const struct key_set *before, uint32_t version, bool reset)
{
    static const uint8_t commitment[32] = {1};
    const struct sig_key *key = malice_key();
    const struct bytes id = bytes_of(our_id, sizeof our_id);
    struct key_set set = *before;
    if (before->client_count == KEY_SET_CLIENTS_MAX)
        return ERR(KEY_SET);
    set.version = version;
    set.reset = reset;
    set.prev_commitment = bytes_of(commitment, sizeof commitment);
    memmove(&set.clients[1], &set.clients[0], before->client_count * sizeof set.clients[0]);
    set.clients[0] = (struct client_key){.client_id = id,
                                         .sig_scheme = sig_ed25519.scheme,
                                         .public_key = public_key_view(&key->public_key),
                                         .added_ms = set.created_ms,
                                         .flags = KEY_SET_AUTHORISES};
    set.client_count++;
    return key_set_make(b, &set, &key, &id, 1);
}

struct err malice_only_us(struct buf *b, struct bytes label, uint32_t version)
{
    static const uint8_t commitment[32] = {1};
    const struct sig_key *key = malice_key();
    const bool handle = label.data[0] == KEY_SET_LABEL_HANDLE;
    const struct bytes id = handle ? bytes_str("handle") : bytes_of(our_id, sizeof our_id);
    const struct key_set set = {
        .label = label,
        .version = version,
        .reset = version > 0,
        .prev_commitment = bytes_of(commitment, version > 0 ? sizeof commitment : 0),
        .created_ms = 1,
        .clients = {{id, sig_ed25519.scheme, public_key_view(&key->public_key), 1,
                     KEY_SET_AUTHORISES}},
        .client_count = 1,
    };
    return key_set_make(b, &set, &key, &id, 1);
}
