#include "server/info/token_directory.h"

#include "pass/key_rules.h"
#include "pass/redeem.h"

enum { TOKENS_MOST = KEEPER_TOKEN_PUBLIC_DAYS * (PASS_CLASS_END - 1) };
enum { KEYS_MOST = TOKENS_MOST + INFO_VOUCHER_KEYS_MOST };

struct key_list {
    struct pass_directory_key keys[KEYS_MOST];
    uint8_t bytes[KEYS_MOST][KEEPER_KEY_BYTES];
    struct info_voucher_key vouchers[INFO_VOUCHER_KEYS_MOST];
    size_t count;
};

static struct err add_key(struct keeper *keeper, uint8_t class, uint32_t period,
                          struct key_list *list)
{
    struct pass_directory_key *key = &list->keys[list->count];
    uint8_t *bytes = list->bytes[list->count];
    struct err err = keeper_token_public(keeper, class, period, bytes);
    if (err.code == ERR_PASS_KEY)
        return ERR_OK;
    TRY(err);
    *key = (struct pass_directory_key){.token_type = PASS_TYPE_TOKEN,
                                       .class = class,
                                       .period = period,
                                       .public_key = bytes_of(bytes, KEEPER_KEY_BYTES)};
    (void)pass_key_interval(key->token_type, period, &key->not_before, &key->not_after);
    list->count++;
    return ERR_OK;
}

/* First, since the order is that of types. */
static void add_vouchers(const struct info_options *options, struct key_list *list)
{
    if (options->vouchers == NULL)
        return;
    size_t count = options->vouchers(options->vouchers_self, list->vouchers);
    for (size_t i = 0; i < count; i++) {
        const struct info_voucher_key *voucher = &list->vouchers[i];
        struct pass_directory_key *key = &list->keys[list->count++];
        *key = (struct pass_directory_key){.token_type = PASS_TYPE_VOUCHER,
                                           .class = voucher->class,
                                           .period = voucher->week,
                                           .public_key =
                                               bytes_of(voucher->spki, sizeof voucher->spki)};
        (void)pass_key_interval(key->token_type, key->period, &key->not_before, &key->not_after);
    }
}

struct err token_directory_write(const struct front_env *env, const struct info_options *options,
                                 struct buf *b)
{
    const uint32_t today = pass_period_at(clock_unix_ms(env->clock) / 1000);
    const uint32_t first = today > 1 ? today - 1 : 1;
    struct key_list list = {.count = 0};
    add_vouchers(options, &list);
    for (unsigned class = 1; class < PASS_CLASS_END; class ++)
        for (uint32_t i = 0; i < KEEPER_TOKEN_PUBLIC_DAYS; i++)
            TRY(add_key(env->keeper, (uint8_t) class, first + i, &list));
    return pass_directory_write(b, bytes_str(env->domain), list.keys, list.count);
}
