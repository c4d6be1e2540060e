/*
 * paths.h: where things are installed. The Makefile gives the folders; no environment variable
 * does.
 */
#ifndef STAGEFENCE_PATHS_H
#define STAGEFENCE_PATHS_H

#define PATH_SITE SYSCONFDIR "/stagefence"
#define PATH_CONF PATH_SITE "/stagefence.conf"
#define PATH_IMAGE_FOLDER CACHEDIR "/stagefence"
#define PATH_IMAGE PATH_IMAGE_FOLDER "/policy.sfi"
#define PATH_VENDOR DATADIR "/stagefence"
#define PATH_WRAPPER BINDIR "/stagefence"
#define PATH_COMPILER SBINDIR "/stagefencectl"
#define PATH_SHIM LIBDIR "/stagefence/libstagefence.so"

/* How an LD_PRELOAD entry is known to be ours, wherever it is installed. */
#define PATH_SHIM_NAME "libstagefence.so"

/* Stands in the shim, and is looked for before the shim is relied on: it is this one and no other
 * file. */
#define PATH_SHIM_MARK "stagefence shim, handover 1"

/* From the wrapper to the shim, in decimal: "DESCRIPTOR,STAGE" or "DESCRIPTOR". Gone before main.
 */
#define PATH_HANDOVER "STAGEFENCE_FENCE"

/* From the shim to the wrapper, as its argv[0]: run the program argv[1] with the rest as its argv.
 */
#define PATH_AGAIN "(stagefence)"

#endif
