/* Opens the account that `hearth -p NAME account create` made: FOLDER is its profile's. Where the
 * homeserver is and which CA to trust come from the environment, as a deployment would. */
#include <hearth/client.h>
#include <stdio.h>
#include <stdlib.h>

static inline struct hearth_account *open_account(const char *folder, struct event_base *base)
{
    char path[1024], key_path[1024], text[500];
    uint8_t key[32];
    struct hearth_error error = {0};
    struct hearth_account *account = NULL;
    snprintf(path, sizeof path, "%s/account.db", folder);
    snprintf(key_path, sizeof key_path, "%s/account.key", folder);
    FILE *file = fopen(key_path, "rb");
    if (file == NULL || fread(key, 1, sizeof key, file) != sizeof key) {
        fprintf(stderr, "can't read %s\n", key_path);
        exit(1);
    }
    fclose(file);
    struct hearth_account_options options = {.size = sizeof options,
                                             .path = path,
                                             .key = key,
                                             .base = base,
                                             .ca_file = getenv("HEARTH_CA"),
                                             .homeservers = getenv("HEARTH_HOMESERVERS")};
    if (!hearth_account_open(&options, &account, &error)) {
        fprintf(stderr, "%s\n", hearth_error_text(&error, text, sizeof text));
        exit(1);
    }
    return account;
}
