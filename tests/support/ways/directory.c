/* Homeservers of these worlds give out no tokens: deriving 60 keys at each start would be most of
 * what a world costs. The linker puts it in the place of server/info/token_directory.c's
 * (--wrap=token_directory_write). Vouchers are in it as there. */
#include "pass/directory.h"
#include "pass/key_rules.h"
#include "server/info/token_directory.h"
#include "support/test.h"

__typeof__(token_directory_write) __wrap_token_directory_write;
struct err __wrap_token_directory_write(const struct front_env *env,
                                        const struct info_options *options, struct buf *b)
{
    struct info_voucher_key vouchers[INFO_VOUCHER_KEYS_MOST];
    struct pass_directory_key keys[INFO_VOUCHER_KEYS_MOST];
    size_t count = options->vouchers(options->vouchers_self, vouchers);
    for (size_t i = 0; i < count; i++) {
        keys[i] = (struct pass_directory_key){
            .token_type = PASS_TYPE_VOUCHER,
            .class = vouchers[i].class,
            .period = vouchers[i].week,
            .public_key = bytes_of(vouchers[i].spki, sizeof vouchers[i].spki)};
        assert_true(pass_key_interval(PASS_TYPE_VOUCHER, keys[i].period, &keys[i].not_before,
                                      &keys[i].not_after));
    }
    return pass_directory_write(b, bytes_str(env->domain), keys, count);
}
