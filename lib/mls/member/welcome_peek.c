/* What a Welcome says before one joins. */
#include "mls/member/welcome_open.h"

struct err welcome_peek(const struct mls_client *client, const struct key_package_bundle *bundle,
                        struct bytes welcome, const struct mls_group *predecessor,
                        struct welcome_news *ret_news)
{
    struct welcome_opened opened;
    struct welcome_news news = {0};
    TRY(welcome_open(client, bundle, predecessor, welcome, &opened));
    buf_append_bytes(&news.group_id, opened.info.group_context.group_id);
    news.epoch = opened.info.group_context.epoch;
    buf_append_bytes(&news.extensions, opened.info.extensions.raw);
    welcome_opened_clear(&opened);
    struct err err = buf_check(&news.group_id);
    if (err_is_ok(err))
        err = buf_check(&news.extensions);
    if (!err_is_ok(err)) {
        welcome_news_clear(&news);
        return err;
    }
    *ret_news = news;
    return ERR_OK;
}

void welcome_news_clear(struct welcome_news *news)
{
    buf_clear(&news->group_id);
    buf_clear(&news->extensions);
}
