#include "server/main/log_pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "net/page_server.h"

struct log_pages {
    struct transparency *transparency;
    struct hearth_loop *loop;
    struct page_server *server;
    pthread_t thread;
    bool started;
};

static struct err get(void *self, const char *path, struct page *page)
{
    struct log_pages *p = self;
    if (path[0] != '/')
        return ERR(NOT_FOUND);
    if (strcmp(path, "/checkpoint") == 0)
        page->type = "text/plain; charset=utf-8";
    return transparency_page(p->transparency, path + 1, &page->body, &page->forever);
}

static void *run(void *loop)
{
    hearth_loop_run(loop);
    return NULL;
}

struct err log_pages_open(struct transparency *t, const char *address, struct log_pages **ret_pages)
{
    struct log_pages *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR(NO_MEMORY);
    p->transparency = t;
    p->loop = hearth_loop_new(NULL);
    struct err err =
        p->loop == NULL ? ERR(NO_MEMORY) : page_server_many(p->loop, address, get, p, &p->server);
    int why = errno;
    if (err_is_ok(err)) {
        p->started = pthread_create(&p->thread, NULL, run, p->loop) == 0;
        err = p->started ? ERR_OK : ERR(NO_MEMORY);
    }
    if (!err_is_ok(err)) {
        log_pages_close(p);
        errno = why;
        return err;
    }
    *ret_pages = p;
    return ERR_OK;
}

void log_pages_close(struct log_pages *pages)
{
    if (pages == NULL)
        return;
    if (pages->started) {
        hearth_loop_stop(pages->loop);
        (void)pthread_join(pages->thread, NULL);
    }
    page_server_free(pages->server);
    if (pages->loop != NULL)
        hearth_loop_free(pages->loop);
    free(pages);
}
