/* Where domains are. */
#include <stdlib.h>

#include "client/api/inside.h"

static struct err target_add(struct api *api, const char *item, size_t len)
{
    const char *sign = memchr(item, '=', len);
    if (sign == NULL)
        return ERR(ARGUMENT);
    struct bytes domain = bytes_of(item, (size_t)(sign - item));
    size_t target_len = len - domain.len - 1;
    if (!err_is_ok(domain_check(domain, true)) || target_len == 0)
        return ERR(ARGUMENT);
    struct api_target *target = calloc(1, sizeof *target);
    if (target == NULL)
        return ERR(NO_MEMORY);
    memcpy(target->domain, domain.data, domain.len);
    target->next = api->targets;
    api->targets = target;
    target->target = strndup(sign + 1, target_len);
    return target->target != NULL ? ERR_OK : ERR(NO_MEMORY);
}

struct err targets_read(struct api *api, const char *list)
{
    size_t count = 0;
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        if (++count > API_TARGETS_MOST)
            return ERR(ARGUMENT);
        TRY(target_add(api, list, len));
        list += len;
        list += *list == ',';
    }
    return ERR_OK;
}

void targets_clear(struct api *api)
{
    while (api->targets != NULL) {
        struct api_target *target = api->targets;
        api->targets = target->next;
        free(target->target);
        free(target);
    }
}
