/*
 * own-environ: try, with a list of its own that it calls environ, where other programs have the C library's. It is empty.
 */
#include "try.c"

static char *nothing[] = { NULL };
char **environ = nothing;
