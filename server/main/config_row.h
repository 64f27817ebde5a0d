/* config.def as a table. Private to config*.c. */
#ifndef SERVER_MAIN_CONFIG_ROW_H
#define SERVER_MAIN_CONFIG_ROW_H

#include <stddef.h>

#include "server/main/config.h"

enum config_kind { TEXT, CHOICE, BOOL, NUMBER, LIST };

/* A row of config.def, and where its value lies in struct config. */
struct config_row {
    const char *section, *name;
    enum config_kind kind;
    size_t offset;
    const char *text_default;
    uint64_t number_default, least, most;
    const char *choices;
    bool live;
    const char *text;
};

extern const struct config_row config_rows[];
extern const size_t config_row_count;

#endif
