#include "server/federation/policy.h"

#include <stdlib.h>

#include "seal/names.h"

enum list { PEERS, ALLOWED, BLOCKED, LISTS };

struct name {
    struct bytes domain;
    char *target; /* of PEERS: behind the domain in the same memory */
};

struct policy {
    enum federation_mode mode;
    bool development, private_addresses;
    struct name *names[LISTS];
    size_t count[LISTS];
};

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    for (int list = 0; list < LISTS; list++) {
        for (size_t i = 0; i < p->count[list]; i++)
            free((void *)(uintptr_t)p->names[list][i].domain.data);
        free(p->names[list]);
    }
    free(p);
}

static const struct name *find(const struct policy *p, enum list list, struct bytes domain)
{
    for (size_t i = 0; i < p->count[list]; i++)
        if (bytes_equal(p->names[list][i].domain, domain))
            return &p->names[list][i];
    return NULL;
}

static struct err add(struct policy *p, enum list list, struct bytes domain, struct bytes target)
{
    if (p->count[list] == POLICY_NAMES_MOST || !err_is_ok(domain_check(domain, p->development)))
        return ERR(ARGUMENT);
    if (find(p, list, domain) != NULL)
        return ERR_OK; /* said twice: the first counts */
    struct name *names = realloc(p->names[list], (p->count[list] + 1) * sizeof *p->names[list]);
    if (names == NULL)
        return ERR(NO_MEMORY);
    p->names[list] = names;
    char *text = malloc(domain.len + 1 + target.len + 1);
    if (text == NULL)
        return ERR(NO_MEMORY);
    memcpy(text, domain.data, domain.len);
    text[domain.len] = '\0';
    memcpy(text + domain.len + 1, target.data, target.len);
    text[domain.len + 1 + target.len] = '\0';
    names[p->count[list]++] = (struct name){bytes_of(text, domain.len), text + domain.len + 1};
    return ERR_OK;
}

static struct err add_peer(struct policy *p, const char *text)
{
    const char *sign = strchr(text, '=');
    if (sign == NULL || sign[1] == '\0' || strlen(sign) > POLICY_TARGET_MAX_BYTES)
        return ERR(ARGUMENT);
    return add(p, PEERS, bytes_of(text, (size_t)(sign - text)), bytes_str(sign + 1));
}

static struct err add_names(struct policy *p, enum list list, const char *text,
                            struct bytes *ret_wrong)
{
    static const char spaces[] = " ,\t";
    for (text += strspn(text, spaces); *text != '\0'; text += strspn(text, spaces)) {
        struct bytes domain = bytes_of(text, strcspn(text, spaces));
        *ret_wrong = domain;
        TRY(add(p, list, domain, bytes_str("")));
        text += domain.len;
    }
    return ERR_OK;
}

static struct err fill(struct policy *p, const struct federation_settings *s,
                       struct bytes *ret_wrong)
{
    for (size_t i = 0; i < s->peer_count; i++) {
        *ret_wrong = bytes_str(s->peers[i]);
        if (s->peers[i][0] != '\0')
            TRY(add_peer(p, s->peers[i]));
    }
    for (size_t i = 0; i < s->allow_count; i++)
        TRY(add_names(p, ALLOWED, s->allow[i], ret_wrong));
    for (size_t i = 0; i < s->block_count; i++)
        TRY(add_names(p, BLOCKED, s->block[i], ret_wrong));
    return ERR_OK;
}

struct err policy_new(const struct federation_settings *settings, struct bytes *ret_wrong,
                      struct policy **ret_policy)
{
    struct policy *p = calloc(1, sizeof *p);
    *ret_wrong = bytes_of(NULL, 0);
    if (p == NULL)
        return ERR(NO_MEMORY);
    p->mode = settings->mode;
    p->development = settings->development;
    p->private_addresses = settings->private_addresses;
    struct err err = fill(p, settings, ret_wrong);
    if (!err_is_ok(err)) {
        policy_free(p);
        return err;
    }
    *ret_policy = p;
    return ERR_OK;
}

enum federation_mode policy_mode(const struct policy *p)
{
    return p->mode;
}

/* evil.example blocks a.evil.example: subdomains cost nothing. */
static bool is_blocked(const struct policy *p, struct bytes domain)
{
    for (size_t i = 0; i < p->count[BLOCKED]; i++) {
        struct bytes name = p->names[BLOCKED][i].domain;
        if (domain.len < name.len)
            continue;
        struct bytes tail = bytes_of(domain.data + domain.len - name.len, name.len);
        if (bytes_equal(tail, name) &&
            (domain.len == name.len || domain.data[domain.len - name.len - 1] == '.'))
            return true;
    }
    return false;
}

bool policy_names(const struct policy *p, struct bytes domain)
{
    return find(p, PEERS, domain) != NULL || find(p, ALLOWED, domain) != NULL;
}

bool policy_lists(const struct policy *p, struct bytes domain)
{
    return policy_names(p, domain) || find(p, BLOCKED, domain) != NULL;
}

bool policy_admits(const struct policy *p, struct bytes domain)
{
    if (p->mode == FEDERATION_OFF || !err_is_ok(domain_check(domain, p->development)) ||
        is_blocked(p, domain))
        return false;
    return p->mode == FEDERATION_OPEN || policy_names(p, domain);
}

const char *policy_target(const struct policy *p, struct bytes domain)
{
    const struct name *name = find(p, PEERS, domain);
    return name != NULL ? name->target : NULL;
}

bool policy_private_addresses(const struct policy *p)
{
    return p->private_addresses;
}

void policy_each(const struct policy *p, void (*say)(void *to, struct bytes domain, int rule),
                 void *to)
{
    for (int list = 0; list < LISTS; list++)
        for (size_t i = 0; i < p->count[list]; i++) {
            struct bytes domain = p->names[list][i].domain;
            if (list == BLOCKED || (find(p, BLOCKED, domain) == NULL &&
                                    (list == PEERS || find(p, PEERS, domain) == NULL)))
                say(to, domain, list);
        }
}
